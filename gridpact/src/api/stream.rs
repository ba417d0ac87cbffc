//! New blocks as they are decided, as server-sent events: one event a block, its height as the event's id, so
//! that a client that reconnects goes on where it was.

use super::problem::Problem;
use super::routes::refuse;
use super::{caller, Desk};
use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures::stream::unfold;
use ledger::query::answers::Head;
use ledger::query::{ReadError, Reader, View, MAX_HEIGHTS};
use ledger::rights::Query;
use std::collections::VecDeque;
use std::convert::Infallible;
use tokio::sync::watch;
use wire::party::PartyId;

/// Where one client's stream stands.
struct Following {
    desk: Data<Desk>,
    views: watch::Receiver<View>,
    caller: Option<PartyId>,
    /// Height sent last.
    sent: u64,
    waiting: VecDeque<Head>,
    _place: super::load::Taken,
}

/// Answers with the stream.
pub async fn blocks(request: HttpRequest, desk: Data<Desk>) -> HttpResponse {
    let view = desk.source.views.borrow().clone();
    let caller = match caller::of(&request, &view) {
        Ok(caller) => caller,
        Err(problem) => return refuse(&desk, &problem),
    };
    let allowed = Reader::new(&view, desk.source.history.as_ref(), caller.clone()).allow(Query::BlockStream);
    if let Err(error) = allowed {
        return refuse(&desk, &error.into());
    }
    let Some(place) = desk.load.stream() else { return refuse(&desk, &Problem::Busy) };
    let last = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let tip = view.tip.height;
    let following = Following {
        views: desk.source.views.clone(),
        caller,
        // Further back than that, blocks are asked for.
        sent: last.unwrap_or(tip).clamp(tip.saturating_sub(MAX_HEIGHTS), tip),
        waiting: VecDeque::new(),
        _place: place,
        desk: desk.clone(),
    };
    desk.requests.with_label_values(&["200"]).inc();
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-cache"))
        .streaming(unfold(following, |mut following| async {
            let head = following.next().await?;
            // A head always has a form in JSON.
            let data = serde_json::to_string(&head).unwrap_or_default();
            let event = format!("id: {}\nevent: block\ndata: {data}\n\n", head.height);
            Some((Ok::<_, Infallible>(Bytes::from(event)), following))
        }))
}

impl Following {
    /// The next block's head; none where the chain can't be read, or the validator has ended.
    async fn next(&mut self) -> Option<Head> {
        loop {
            if let Some(head) = self.waiting.pop_front() {
                self.sent = head.height;
                return Some(head);
            }
            let view = self.views.borrow_and_update().clone();
            if view.tip.height > self.sent {
                self.waiting = self.read(view).await.ok()?.into();
            }
            if self.waiting.is_empty() {
                self.views.changed().await.ok()?;
            }
        }
    }

    async fn read(&self, view: View) -> Result<Vec<Head>, Problem> {
        let (history, caller) = (self.desk.source.history.clone(), self.caller.clone());
        let from = self.sent + 1;
        let to = (view.tip.height + 1).min(from + MAX_HEIGHTS);
        let heads = web::block(move || Reader::new(&view, history.as_ref(), caller).heads(from, to)).await;
        Ok(heads.map_err(|_| Problem::GivenUp)?.map_err(|error: ReadError| error)?)
    }
}
