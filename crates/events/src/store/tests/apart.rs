//! Organisations, and gateways, in one PostgreSQL.

use super::*;
use crate::following::Followers;

fn everything(reader: &Reader) -> Vec<Event> {
    reader
        .page(&Scope::Everything, &Filter::default(), Order::NewestFirst, None, 1000, WITHIN)
        .unwrap()
        .events
}

/// PostgreSQL itself keeps them apart: whatever is asked, of whichever table.
#[test]
fn a_scope_sees_its_organization_alone_and_none_sees_nothing() {
    let server = PostgresServer::start();
    let place = Place::postgres(&server);
    let Place::Postgres(database) = &place else { unreachable!() };
    let (_store, _reader) = place.stored(&samples());
    let url = secrecy::ExposeSecret::expose_secret(&database.url).to_owned();
    let count = |scope: &str, table: &str| {
        let scoped = format!("{url}&options[bartizan.scope]={scope}");
        let sql = format!("SELECT CAST(count(*) AS TEXT) FROM {table}");
        ask(if scope.is_empty() { &url } else { &scoped }, &sql).remove(0)
    };
    let kinds = Kind::ALL.len();
    assert_eq!(count("everything", "events"), (3 * kinds).to_string());
    assert_eq!(count("organization:shop", "events"), (2 * kinds).to_string());
    for (scope, table) in [
        ("", "events"),
        ("organization:other", "events"),
        ("organization:", "events"),
        ("", "event_minutes"),
        ("organization:shop", "event_minutes"),
        ("organization:shop", "event_batches"),
        // Days are asked by way of their parent alone.
        ("everything", "events_2026_11_22"),
        ("organization:shop", "events_2026_11_22"),
    ] {
        assert_eq!(count(scope, table), "0", "{table} in `{scope}`");
    }
}

/// Addresses and the rest are found by their indices although policies come first.
#[test]
fn policies_keep_no_index_from_being_used() {
    let server = PostgresServer::start();
    let place = Place::postgres(&server);
    let Place::Postgres(database) = &place else { unreachable!() };
    let (_store, _reader) = place.stored(&samples());
    let url = secrecy::ExposeSecret::expose_secret(&database.url).to_owned();
    let url = format!(
        "{url}&options[bartizan.scope]=everything&options[enable_seqscan]=off&options[enable_bitmapscan]=off"
    );
    for (condition, index) in [
        ("address BETWEEN '192.0.2.0' AND '192.0.2.255'", "address_id_idx"),
        ("user_id = 'ada-1'", "user_id_id_idx"),
        ("organization_id = 'shop'", "organization_id_id_idx"),
        ("request = 'request-7'", "request_idx"),
        ("id < '01a200c7-21a0-7000-8000-000000000000'", "pkey"),
    ] {
        let plan = ask(&url, &format!("EXPLAIN SELECT message FROM events WHERE {condition}")).join("\n");
        assert!(plan.contains(index) && plan.contains("Index Cond"), "{condition}: {plan}");
    }
}

#[test]
fn a_role_that_bypasses_policies_is_refused() {
    let server = PostgresServer::start();
    let database = Database { url: server.url_of("postgres").into(), name: "the test's".into() };
    let error = open_database(&database, &Arc::default(), SystemTime::now()).unwrap_err();
    assert!(matches!(&error, EventError::Bypasses { role, .. } if role == "postgres"), "{error}");
    assert!(
        error.to_string().contains("NOBYPASSRLS") && !error.to_string().contains("correct-horse"),
        "{error}"
    );
}

#[test]
fn tables_of_another_release_are_left_alone() {
    let server = PostgresServer::start();
    let place = Place::postgres(&server);
    let Place::Postgres(database) = &place else { unreachable!() };
    drop(place.stored(&samples()));
    let url = secrecy::ExposeSecret::expose_secret(&database.url).to_owned();
    ask(&url, "UPDATE event_format SET version = 9");
    let error = open_database(database, &Arc::default(), SystemTime::now()).unwrap_err();
    assert!(matches!(error, EventError::Format { found: 9, known: 1, .. }), "{error}");
}

/// Gateways that begin together make the tables once, add to the same minutes, and keep each event once.
#[test]
fn gateways_share_a_database() {
    let server = PostgresServer::start();
    let place = Place::postgres(&server);
    let events = samples();
    let stores = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..3).map(|_| scope.spawn(|| place.open(events[0].id.moment()))).collect();
        opening.into_iter().map(|opened| opened.join().unwrap()).collect::<Vec<_>>()
    });
    let reader = std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for (mut store, reader) in stores {
            readers.push(reader);
            let events = &events;
            scope.spawn(move || {
                for some in events.chunks(7) {
                    let at = some[0].id.milliseconds();
                    let only_counted = Uncounted { at, kind: Kind::RequestAllowed, count: 10 };
                    store.append(some, &[only_counted]).unwrap();
                }
            });
        }
        readers.remove(0)
    });
    assert_eq!(everything(&reader), sorted(events.clone()));
    let buckets = reader.counts(&Scope::Everything, &Filter::default(), 24 * 60, WITHIN).unwrap().buckets;
    let counted: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    assert_eq!(counted, (events.len() + 3 * 10 * events.chunks(7).count()) as u64);
    // What another gateway has removed is made again when something comes for it.
    let (mut one, _) = place.open(events[0].id.moment());
    let (mut other, other_reader) = place.open(events[0].id.moment());
    one.append(&events, &[]).unwrap();
    other.tidy(Duration::from_hours(24), SystemTime::now() + Duration::from_hours(24 * 365 * 20)).unwrap();
    assert_eq!(everything(&other_reader), []);
    one.append(&events, &[]).unwrap();
    assert_eq!(everything(&other_reader), sorted(events));
}

#[test]
fn whoever_follows_is_shown_what_other_gateways_store() {
    let server = PostgresServer::start();
    let place = Place::postgres(&server);
    let Place::Postgres(database) = &place else { unreachable!() };
    let (events, followers) = (samples(), Arc::<Followers>::default());
    let now = events[0].id.moment();
    let (mut own, reader) = open_database(database, &followers, now).unwrap();
    let (mut other, _other_reader) = open_database(database, &Arc::default(), now).unwrap();
    let mut following = followers.follow_all(Scope::Organization("shop".into())).unwrap();
    own.append(&events[..3], &[]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Until the first look nobody knows where it begins: something is stored until something is shown.
    let later: Vec<_> = (0..100).flat_map(|_| samples()).collect();
    let mut stored = later.chunks(50);
    let shown = runtime.block_on(async {
        loop {
            other.append(stored.next().unwrap(), &[]).unwrap();
            if let Ok(shown) = tokio::time::timeout(Duration::from_millis(200), following.next()).await {
                return shown.unwrap();
            }
        }
    });
    assert_eq!(shown.organization.as_deref(), Some("shop"));
    assert!(later.iter().any(|event| event.id == shown.id), "what this gateway stores is shown by itself");
    let page =
        |scope| reader.page(&scope, &Filter::default(), Order::NewestFirst, None, 10_000, WITHIN).unwrap();
    assert_eq!(page(Scope::Own).events.len(), 3);
    assert!(page(Scope::Everything).events.len() > 3);
}
