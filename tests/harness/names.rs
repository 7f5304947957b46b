//! A name server: every name that it is asked for has the addresses that the journey says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;

/// How long its records are good, in seconds.
const LIFE_SECONDS: u32 = 1;

/// A running name server; it stops when it is dropped.
pub struct Names {
    address: SocketAddr,
    records: Arc<Mutex<Vec<Ipv4Addr>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Names {
    /// Starts one on a port that the system chose.
    pub async fn start(addresses: &[Ipv4Addr]) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let socket = socket.expect("a port is free");
        let address = socket.local_addr().expect("a bound socket has an address");
        let records = Arc::new(Mutex::new(addresses.to_vec()));
        let task = tokio::spawn(serve(socket, Arc::clone(&records)));
        Self {
            address,
            records,
            task,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Names stand for these addresses from now on; for none, there are no such names.
    pub fn replace(&self, addresses: &[Ipv4Addr]) {
        *self.records.lock().expect("nobody panicked") = addresses.to_vec();
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, records: Arc<Mutex<Vec<Ipv4Addr>>>) {
    let mut buffer = [0; 4096];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        let question = buffer.get(..length).unwrap_or_default();
        let addresses = records.lock().expect("nobody panicked").clone();
        if let Some(answer) = answer(question, &addresses) {
            // Whoever asked asks again if this is lost.
            socket.send_to(&answer, client).await.ok();
        }
    }
}

fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let mut answer = Message::response(question.id, question.op_code);
    if addresses.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    if query.query_type() == RecordType::A {
        for address in addresses {
            let record = RData::A(A(*address));
            let record = Record::from_rdata(query.name().clone(), LIFE_SECONDS, record);
            answer.add_answer(record);
        }
    }
    answer.add_query(query);
    answer.to_vec().ok()
}
