//! /metrics in Prometheus' text format, /healthz and /readyz, for whoever watches this process.

use super::health::Health;
use actix_web::dev::Server;
use actix_web::http::header::{ContentType, ACCEPT};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{route, App, HttpRequest, HttpResponse, HttpServer};
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::{json, Value};
use std::io;
use std::net::TcpListener;

/// A server on `listener`, to be spawned on an actix system. Stops with it.
///
/// # Errors
/// Where the listener can't be used.
pub fn server(listener: TcpListener, registry: Registry, health: Health) -> io::Result<Server> {
    let (registry, health) = (Data::new(registry), Data::new(health));
    let app = move || {
        let app = App::new().app_data(registry.clone()).app_data(health.clone());
        app.service(metrics).service(healthz).service(readyz)
    };
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}

#[route("/metrics", method = "GET", method = "HEAD")]
async fn metrics(registry: Data<Registry>) -> HttpResponse {
    let mut text = Vec::new();
    match TextEncoder::new().encode(&registry.gather(), &mut text) {
        Ok(()) => HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(text),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

/// Whether every heart beats: 200, or 503 with those that have stopped. A process that is not healthy is to be started anew.
#[route("/healthz", method = "GET", method = "HEAD")]
async fn healthz(request: HttpRequest, health: Data<Health>) -> HttpResponse {
    let (parties, stopped) = health.hearts();
    let healthy = stopped.is_empty();
    let document = json!({ "healthy": healthy, "parties": parties, "stopped": stopped });
    let lines = stopped.into_iter().map(|who| format!("{who}: its heartbeat has stopped")).collect();
    answer(&request, healthy, lines, document)
}

/// Whether the process can do its work: 200, or 503 with the reasons. One that is not ready becomes so by itself.
#[route("/readyz", method = "GET", method = "HEAD")]
async fn readyz(request: HttpRequest, health: Data<Health>) -> HttpResponse {
    let (parties, _) = health.hearts();
    let reasons = health.standing().reasons();
    let ready = reasons.is_empty();
    let document = json!({ "ready": ready, "parties": parties, "reasons": reasons });
    answer(&request, ready, reasons, document)
}

/// Lines for people, or one document for who accepts JSON.
fn answer(request: &HttpRequest, well: bool, lines: Vec<String>, document: Value) -> HttpResponse {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    if accepts.contains("application/json") {
        return response.json(document);
    }
    let text = if well { "ok\n".to_owned() } else { lines.into_iter().map(|line| line + "\n").collect() };
    response.content_type(ContentType::plaintext()).body(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::IntCounter;
    use std::time::{Duration, Instant};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get(address: std::net::SocketAddr, path: &str, accept: &str) -> String {
        ask("GET", address, path, accept).await
    }

    async fn ask(method: &str, address: std::net::SocketAddr, path: &str, accept: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[actix_web::test]
    async fn metrics_health_and_readiness_are_served() {
        let registry = Registry::new();
        let counter = IntCounter::new("gridpact_test_total", "a counter").unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.inc_by(3);
        let health = Health::new(&registry, 300).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = server(listener, registry, health.clone()).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let answer = get(address, "/metrics", "*/*").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("\ngridpact_test_total 3\n"),
            "{answer}"
        );
        assert!(get(address, "/healthz", "*/*").await.ends_with("\r\n\r\nok\n"));
        let head = ask("HEAD", address, "/healthz", "*/*").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
        let starting = get(address, "/readyz", "*/*").await;
        assert!(
            starting.starts_with("HTTP/1.1 503") && starting.contains("it is still starting\n"),
            "{starting}"
        );
        health.started();
        assert!(get(address, "/readyz", "*/*").await.starts_with("HTTP/1.1 200"));
        // A heart that never beats.
        health.expect("site/s1", None);
        let deadline = Instant::now() + Duration::from_secs(60);
        let stopped = loop {
            let answer = get(address, "/healthz", "application/json").await;
            if answer.starts_with("HTTP/1.1 503") {
                break answer;
            }
            assert!(Instant::now() < deadline, "{answer}");
        };
        assert!(stopped.contains(r#""stopped":["site/s1"]"#), "{stopped}");
        assert!(get(address, "/readyz", "application/json").await.contains(r#""ready":false"#));
        assert!(get(address, "/nothing", "*/*").await.starts_with("HTTP/1.1 404"));
        handle.stop(false).await;
    }
}
