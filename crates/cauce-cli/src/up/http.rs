//! The files of a directory over HTTP: axum and tower-http on our own TCP.

use super::listing;
use super::services;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::serve::Listener;
use cauce::{TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tower_http::services::ServeDir;

/// Bytes of a file that are read at once.
const CHUNK: usize = 256 * 1024;

/// Serves `root` until the stack ends.
pub async fn serve(listener: TcpListener, root: PathBuf) -> io::Error {
    let listings = Router::new().fallback(list).with_state(root.clone());
    let files = ServeDir::new(root).with_buf_chunk_size(CHUNK).fallback(listings);
    match axum::serve(Incoming(listener), Router::new().fallback_service(files)).await {
        Ok(()) => io::Error::other("HTTP is served no more"),
        Err(error) => error,
    }
}

/// What is asked for and is no file: a directory is listed.
async fn list(State(root): State<PathBuf>, method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served\n").into_response();
    }
    let path = uri.path().to_owned();
    let listed = tokio::task::spawn_blocking(move || listing::of(&root, &path)).await;
    match listed {
        Ok(Ok(Some(page))) => Html(page).into_response(),
        Ok(Ok(None)) => (StatusCode::NOT_FOUND, "there is no such file\n").into_response(),
        Ok(Err(_)) | Err(_) => (StatusCode::FORBIDDEN, "the directory cannot be read\n").into_response(),
    }
}

/// Our listener as axum wants it.
struct Incoming(TcpListener);

impl Listener for Incoming {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match services::next(&self.0).await {
                Ok(stream) => {
                    // A stream that is reset already has no peer; its first read tells.
                    let peer = stream.peer_addr().unwrap_or_else(|_| SocketAddr::from(([0; 4], 0)));
                    let _ = stream.set_nodelay(true);
                    return (stream, peer);
                }
                // The stack is over; whoever waits for it ends this task.
                Err(_) => std::future::pending().await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
