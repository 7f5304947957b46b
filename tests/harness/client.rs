//! A client with one keep-alive HTTP/1.1 connection, which sends exactly what a journey says.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::in_time;

/// One keep-alive connection.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
}

/// What came back, all of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        match Self::knock(address).await {
            Ok(client) => client,
            Err(error) => panic!("{address} takes no connection: {error}"),
        }
    }

    /// Connects to where perhaps nobody is.
    pub async fn knock(address: SocketAddr) -> io::Result<Self> {
        let stream = in_time("a connection opens", TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.expect("a handshake sends nothing that could fail");
        // Ends when the sender is dropped; its error reaches whoever waits for an answer.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { sender, address })
    }

    /// Gets `path`.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Posts JSON to `path`.
    pub async fn post(&mut self, path: &str, json: &Value) -> Answer {
        self.send(Method::POST, path, &[], json.to_string().into())
            .await
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        match self.attempt(method, path, headers, body).await {
            Ok(answer) => answer,
            Err(error) => panic!("{path} of {} gave no answer: {error:?}", self.address),
        }
    }

    /// Sends a request that may find nobody, or lose who it found, before the whole answer is there.
    pub async fn attempt(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> hyper::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, self.address.to_string());
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body))
            .expect("a journey writes valid requests");
        in_time(path, self.exchange(request)).await
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Answer {
    /// A header's value as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }
}
