//! /metrics in Prometheus' text format, and /healthz, for whoever watches this process.

use actix_web::dev::Server;
use actix_web::http::header::ContentType;
use actix_web::web::Data;
use actix_web::{get, App, HttpResponse, HttpServer};
use prometheus::{Encoder, Registry, TextEncoder};
use std::io;
use std::net::TcpListener;

/// A server on `listener`, to be spawned on an actix system. Stops with it.
///
/// # Errors
/// Where the listener can't be used.
pub fn server(listener: TcpListener, registry: Registry) -> io::Result<Server> {
    let registry = Data::new(registry);
    let app = move || App::new().app_data(registry.clone()).service(metrics).service(health);
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}

#[get("/metrics")]
async fn metrics(registry: Data<Registry>) -> HttpResponse {
    let mut text = Vec::new();
    match TextEncoder::new().encode(&registry.gather(), &mut text) {
        Ok(()) => HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(text),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

/// Says that the process answers. Whether each role still turns, its heartbeat counter in /metrics says.
#[get("/healthz")]
async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::IntCounter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[actix_web::test]
    async fn counters_are_served_as_text() {
        let registry = Registry::new();
        let counter = IntCounter::new("gridpact_test_total", "a counter").unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.inc_by(3);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = server(listener, registry).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let answer = get(address, "/metrics").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("\ngridpact_test_total 3\n"),
            "{answer}"
        );
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/nothing").await.starts_with("HTTP/1.1 404"));
        handle.stop(false).await;
    }
}
