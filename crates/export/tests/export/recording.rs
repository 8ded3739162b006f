//! A server of HTTP that records what it is asked, and answers as it is told to.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use crate::PATIENCE;

/// What was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u32>,
    pub(crate) body: Vec<u8>,
}

/// Nothing: the connection is closed in the middle.
pub(crate) const GOES_AWAY: u16 = 0;

pub(crate) fn told(status: u16, body: impl AsRef<[u8]>) -> Told {
    Told { status, retry_after: None, body: body.as_ref().into() }
}

pub(crate) struct Recording {
    pub(crate) address: SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
    answers: Arc<Mutex<VecDeque<Told>>>,
}

impl Recording {
    /// Gives these answers, one after the other, and the last one for ever.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Told>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answers)
    }

    fn on(listener: TcpListener, answers: impl IntoIterator<Item = Told>) -> Self {
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        let (sender, asked) = mpsc::unbounded_channel();
        let for_task = Arc::clone(&answers);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (sender, answers) = (sender.clone(), Arc::clone(&for_task));
                let service =
                    service_fn(move |request| answer(request, sender.clone(), Arc::clone(&answers)));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, asked, answers }
    }

    pub(crate) async fn next(&mut self) -> Asked {
        timeout(PATIENCE, self.asked.recv()).await.unwrap().unwrap()
    }

    /// The answers that are left to give.
    pub(crate) fn answers_left(&self) -> usize {
        self.answers.lock().unwrap().len()
    }
}

async fn answer(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Asked>,
    answers: Arc<Mutex<VecDeque<Told>>>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let told = {
        let mut answers = answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.unwrap()
    };
    // The test may have ended.
    let _ = sender.send(Asked { path: head.uri.to_string(), headers: head.headers, body });
    if told.status == GOES_AWAY {
        return Err("gone".into());
    }
    let mut response = Response::builder().status(told.status);
    if let Some(seconds) = told.retry_after {
        response = response.header("retry-after", seconds);
    }
    let response = response.body(Full::new(Bytes::from(told.body))).unwrap();
    Ok::<_, Infallible>(response).map_err(Into::into)
}
