//! Transactions that wait for each other.

use bartizan_config::StoreLocation;
use bartizan_store::{Scoped, Statement, Store, StoreError, Transaction};
use tokio::sync::Barrier;

use crate::{organization, postgres_server::PostgresServer};

fn rename(id: &str, name: &str) -> Statement {
    Statement::new("UPDATE organizations SET name = name || $2 WHERE id = $1").text(id).text(name)
}

async fn name(store: &Scoped, id: &str) -> String {
    let read = Statement::new("SELECT name FROM organizations WHERE id = $1").text(id);
    store.row(read).await.unwrap().unwrap().text("name").unwrap()
}

async fn two() -> (PostgresServer, Scoped) {
    let server = PostgresServer::start();
    let location: StoreLocation = server.url().parse().unwrap();
    let store = Store::open(&location).await.unwrap().everywhere();
    for id in ["1", "2"] {
        store.execute(organization(id, id)).await.unwrap();
    }
    (server, store)
}

/// Changes one row, waits until the other transaction has changed another, and wants that one, too.
async fn cross(
    store: &Scoped,
    (first, then): (&str, &str),
    mark: &str,
    barrier: &Barrier,
) -> Result<(), StoreError> {
    let mut transaction: Transaction = store.begin().await?;
    transaction.execute(rename(first, mark)).await?;
    barrier.wait().await;
    transaction.execute(rename(then, mark)).await?;
    transaction.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_ended_for_another_is_repeated() {
    let (_server, store) = two().await;
    let barrier = Barrier::new(2);
    let (one, other) =
        tokio::join!(cross(&store, ("1", "2"), "a", &barrier), cross(&store, ("2", "1"), "b", &barrier));
    one.unwrap();
    other.unwrap();
    // Each of them happened, once, and whole.
    let (first, second) = (name(&store, "1").await, name(&store, "2").await);
    assert!(["1ab", "1ba"].contains(&first.as_str()), "{first}");
    assert_eq!(first[1..], second[1..], "one after the other");
}

/// What was decided by rows that are others now must not happen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_would_read_something_else_now_is_not_repeated() {
    let (_server, store) = two().await;
    store.execute(organization("read", "read")).await.unwrap();
    let barrier = Barrier::new(2);
    let careful = async {
        let mut transaction = store.begin().await?;
        let read = Statement::new("SELECT name FROM organizations WHERE id = 'read'");
        transaction.row(read).await?;
        transaction.execute(rename("2", "a")).await?;
        // By a connection of its own, so that it is another one for certain when the transaction is repeated.
        store.execute(rename("read", "c")).await?;
        barrier.wait().await;
        transaction.execute(rename("1", "a")).await?;
        transaction.commit().await
    };
    let (careful, other) = tokio::join!(careful, cross(&store, ("1", "2"), "b", &barrier));
    other.unwrap();
    match careful {
        // PostgreSQL ended the other one, which had read nothing.
        Ok(()) => assert_eq!(name(&store, "2").await, "2ab"),
        Err(error) => {
            assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
            assert_eq!(name(&store, "1").await, "1b");
            assert_eq!(name(&store, "2").await, "2b");
        }
    }
}
