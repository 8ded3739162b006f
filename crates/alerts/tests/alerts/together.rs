//! Two gateways on one store: one alert, told once.

use bartizan_config::StoreLocation;

use crate::{SECRET, at, finding, only, open, postgres_server::PostgresServer, recorder::Recorder, sqlite};

async fn tell_once(location: &StoreLocation) {
    let server = Recorder::start().await;
    let url = &server.url;
    let settings = format!(
        "  channels: {{ hook: {{ webhook: {{ url: \"{url}/hook\", secret: \"{SECRET}\" }} }} }}\n  \
         routes: [{{ to: hook, wait: 0s, repeat: 1h, group_by: [rule] }}]\n"
    );
    let (one, other) = (open(location, &settings).await, open(location, &settings).await);
    for round in 0..5 {
        for gateway in [&one, &other] {
            for number in 0..3 {
                gateway.observe(&finding(&format!("192.0.2.{number}"), round));
            }
        }
        let (first, second) = tokio::join!(one.turn(at(round)), other.turn(at(round)));
        first.unwrap();
        second.unwrap();
        let (first, second) = tokio::join!(one.deliver(at(round)), other.deliver(at(round)));
        first.unwrap();
        second.unwrap();
    }
    assert_eq!(server.one().json()["reason"], "raised");
    let alert = only(&one).await;
    assert_eq!(alert.tally.count, 30, "every event of both is counted");
    assert_eq!(alert.tally.events.len(), 20);
    let (_, history) = other.show(&alert.id).await.unwrap();
    assert_eq!(history.len(), 2, "{history:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_file_tell_once() {
    let folder = tempfile::tempdir().unwrap();
    tell_once(&sqlite(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_postgres_tell_once() {
    let server = PostgresServer::start();
    tell_once(&server.url().parse().unwrap()).await;
}
