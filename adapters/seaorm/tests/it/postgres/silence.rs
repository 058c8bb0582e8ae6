//! A server that falls silent: it answers no more, and its connections stay open.

use std::future::pending;
use std::time::Duration;

use catchment_domain::Revision;
use catchment_domain::ports::{CampaignRepository, ShopRepository, StoreError};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::server::Server;

/// How long a read or a close may take at a silent server: the time for the server to report that a
/// statement takes too long, and a moment.
const AT_MOST: Duration = Duration::from_secs(7);

/// A proxy before the server. When it is cut off, it forwards nothing, and every connection stays
/// open.
struct Line {
    url: String,
    is_cut: watch::Sender<bool>,
    /// How many connections have sent something since the line was cut.
    unanswered: watch::Receiver<u32>,
}

impl Line {
    async fn to(server: &Server) -> Self {
        let url = server.url();
        let (user, rest) = url.rsplit_once('@').unwrap();
        let (address, rest) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{rest}", listener.local_addr().unwrap());
        let (is_cut, seen) = watch::channel(false);
        let (counted, unanswered) = watch::channel(0);
        let address = address.to_owned();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (address, mut seen, counted) = (address.clone(), seen.clone(), counted.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(&address).await.unwrap();
                    let cut = async { seen.wait_for(|is_cut| *is_cut).await.is_ok() };
                    tokio::select! {
                        biased;
                        _ = cut => {}
                        _ = copy_bidirectional(&mut client, &mut server) => return,
                    }
                    if client.read_u8().await.is_ok() {
                        counted.send_modify(|count| *count += 1);
                    }
                    pending::<()>().await;
                });
            }
        });
        Self { url, is_cut, unanswered }
    }

    /// Opens a store that has read, and so has a connection for the next read.
    async fn open(&self) -> SeaOrmStore {
        let statement_timeout = Duration::from_secs(1);
        let readers = std::num::NonZeroU32::MIN;
        let settings = StoreSettings { statement_timeout, readers, ..Server::settings() };
        let store = SeaOrmStore::connect(&self.url, &settings).await.unwrap();
        read(&store).await.unwrap();
        store
    }

    /// Cuts off the connections that there are, and those that are made until the line is mended.
    fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets new connections through.
    fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

async fn read(store: &SeaOrmStore) -> Result<(), StoreError> {
    CampaignRepository::get(store, Revision::NONE).await.map(drop)
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_silent_server_holds_up_neither_a_read_nor_the_close() {
    let server = Server::new().await;
    let line = Line::to(&server).await;
    let store = line.open().await;
    line.cut();
    let unavailable = timeout(AT_MOST, read(&store)).await.expect("the read ends").unwrap_err();
    assert!(matches!(unavailable, StoreError::Unavailable(_)), "{unavailable:?}");
    let closed = timeout(Duration::from_secs(1), store.close()).await;
    closed.expect("the connection that gave no answer is gone").unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_close_waits_for_a_silent_server_no_longer_than_a_statement() {
    let server = Server::new().await;
    let line = Line::to(&server).await;
    let store = line.open().await;
    let (writing, reading) = (store.clone(), store.clone());
    store.take_revision().await.unwrap();
    line.cut();
    let writing = tokio::spawn(async move { writing.take_revision().await });
    let reading = tokio::spawn(async move { read(&reading).await });
    let mut unanswered = line.unanswered.clone();
    let both = unanswered.wait_for(|count| 2 <= *count);
    timeout(AT_MOST, both).await.expect("both wait for an answer").unwrap();
    timeout(AT_MOST, store.close()).await.expect("the close ends").ok();
    assert!(writing.await.unwrap().is_err() && reading.await.unwrap().is_err());
}

/// The one place for reading is free again at once.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_read_that_is_given_up_leaves_no_silent_connection_behind() {
    let server = Server::new().await;
    let line = Line::to(&server).await;
    let store = line.open().await;
    line.cut();
    assert!(timeout(Duration::from_millis(100), read(&store)).await.is_err());
    line.mend();
    timeout(Duration::from_secs(5), read(&store)).await.expect("an answer").unwrap();
    store.close().await.unwrap();
}
