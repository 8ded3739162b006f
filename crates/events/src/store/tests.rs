//! What both stores do, and what PostgreSQL does besides.

mod apart;

#[path = "../../../store/tests/store/postgres_server.rs"]
mod postgres_server;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::UNIX_EPOCH,
};

use tempfile::TempDir;

use self::postgres_server::PostgresServer;
use super::*;
use crate::{Class, Severity, Span, TextFilter, samples::samples};

const WITHIN: Duration = Duration::from_mins(1);

/// Where the events of a check are.
enum Place {
    Files(TempDir),
    Postgres(Database),
}

impl Place {
    fn files() -> Self {
        Self::Files(tempfile::tempdir().unwrap())
    }

    /// A database of its own.
    fn postgres(server: &PostgresServer) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("events{}", NEXT.fetch_add(1, Ordering::Relaxed));
        run(server, &format!("CREATE DATABASE {name}"));
        let url = server.url().replace("/bartizan?", &format!("/{name}?"));
        Self::Postgres(Database { url: url.into(), name })
    }

    fn open(&self, now: SystemTime) -> (Store, Reader) {
        match self {
            Self::Files(folder) => open_files(folder.path().join("events"), now).unwrap(),
            Self::Postgres(database) => open_database(database, &Arc::default(), now).unwrap(),
        }
    }

    fn stored(&self, events: &[Event]) -> (Store, Reader) {
        let (mut store, reader) = self.open(events[0].id.moment());
        store.append(events, &[]).unwrap();
        (store, reader)
    }
}

/// Does something on the server, as the role that owns the tables.
fn run(server: &PostgresServer, sql: &str) {
    ask(&server.url(), sql);
}

/// What a query answers, as text.
fn ask(url: &str, sql: &str) -> Vec<String> {
    use sqlx::{Connection, Row};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(url).await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, sqlx::Error>>()
    });
    answer.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Each check in files, and all of them in one PostgreSQL.
macro_rules! both {
    ($($name:ident)*) => {
        mod in_files {
            $(#[test]
            fn $name() {
                super::$name(&super::Place::files());
            })*
        }

        #[test]
        fn postgres_does_the_same() {
            let server = PostgresServer::start();
            $($name(&Place::postgres(&server));)*
        }
    };
}

both! {
    pages_hold_every_event_once_in_their_order
    filters_find_what_passes_them
    what_is_stored_twice_is_there_once_and_counted_once
    counts_go_by_time_kind_and_severity
    rankings_add_up_over_days
    a_question_has_a_deadline
    old_days_go_whole
    an_organization_sees_its_own_alone
    an_organization_is_not_told_where_operators_sit
    texts_of_strangers_hold_up_nothing
}

fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    events
}

fn pages_hold_every_event_once_in_their_order(place: &Place) {
    let events = samples();
    let (_store, reader) = place.stored(&events);
    let newest = sorted(events);
    for (order, expected) in
        [(Order::NewestFirst, newest.clone()), (Order::OldestFirst, newest.iter().rev().cloned().collect())]
    {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = reader.page(&Scope::Everything, &Filter::default(), order, cursor, 7, WITHIN).unwrap();
            assert!(page.events.len() == 7 || page.next.is_none());
            found.extend(page.events);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "as they were, over files and pages");
    }
}

/// What SQL finds is what [`Filter::matches`] says.
fn filters_find_what_passes_them(place: &Place) {
    let events = samples();
    let (_store, reader) = place.stored(&events);
    let middle = sorted(events.clone())[events.len() / 2].id.moment();
    let network = |text: &str| Some(text.parse().unwrap());
    let text = |text: &str| Some(text.to_owned());
    let all = Filter::default;
    let filters = [
        (Filter { kinds: vec![Kind::TokenReused, Kind::RoleChanged], ..all() }, true),
        (Filter { classes: vec![Class::Authentication], ..all() }, true),
        (Filter { classes: vec![Class::ApiActivity], kinds: vec![Kind::TokenReused], ..all() }, false),
        (Filter { severity: Some(Severity::High), ..all() }, true),
        (Filter { network: network("192.0.2.7/32"), ..all() }, true),
        (Filter { network: network("192.0.0.0/16"), ..all() }, true),
        (Filter { network: network("192.0.3.0/24"), ..all() }, false),
        (Filter { network: network("2001:db8::/32"), ..all() }, true),
        (Filter { network: network("0.0.0.0/0"), ..all() }, true),
        (Filter { user: text("ada-1"), ..all() }, true),
        (Filter { user: text("ada"), ..all() }, false),
        (Filter { organization: text("shop"), ..all() }, true),
        (Filter { route: text("/api/**"), ..all() }, true),
        (Filter { request: text("request-7"), ..all() }, true),
        (Filter { request: text("' OR 1=1 --"), ..all() }, false),
        (Filter { rule: text("949110"), ..all() }, true),
        (Filter { rule: text("9491"), ..all() }, false),
        (Filter { text: TextFilter::new("ADA was"), ..all() }, true),
        (Filter { text: TextFilter::new("letters/7"), ..all() }, true),
        (Filter { text: TextFilter::new("100%_"), ..all() }, false),
        (Filter { span: Span::new(Some(middle), None), ..all() }, true),
        (Filter { span: Span::new(None, Some(middle)), ..all() }, true),
        (Filter { span: Span::new(Some(middle), Some(middle)), ..all() }, false),
    ];
    for (filter, finds) in filters {
        let expected: Vec<_> =
            sorted(events.clone()).into_iter().filter(|event| filter.matches(event)).collect();
        assert_eq!(!expected.is_empty(), finds, "{filter:?}");
        let page = reader.page(&Scope::Everything, &filter, Order::NewestFirst, None, 1000, WITHIN).unwrap();
        assert_eq!(page.events, expected, "{filter:?}");
    }
}

fn what_is_stored_twice_is_there_once_and_counted_once(place: &Place) {
    let events = samples();
    let (mut store, reader) = place.stored(&events);
    let uncounted = Uncounted { at: events[0].id.milliseconds(), kind: Kind::RequestAllowed, count: 40 };
    store.append(&events[..10], &[uncounted]).unwrap();
    let page =
        reader.page(&Scope::Everything, &Filter::default(), Order::NewestFirst, None, 1000, WITHIN).unwrap();
    assert_eq!(page.events.len(), events.len());

    let buckets = reader.counts(&Scope::Everything, &Filter::default(), 24 * 60, WITHIN).unwrap().buckets;
    let mut expected: BTreeMap<(u64, Kind), u64> = BTreeMap::new();
    for event in &events {
        *expected.entry((event.id.day(), event.kind)).or_default() += 1;
    }
    *expected.entry((events[0].id.day(), Kind::RequestAllowed)).or_default() += 40;
    let day = |at: SystemTime| Day::of(at).0;
    let found: BTreeMap<_, _> =
        buckets.iter().map(|bucket| ((day(bucket.start), bucket.kind), bucket.count)).collect();
    assert_eq!(found, expected);
}

fn counts_go_by_time_kind_and_severity(place: &Place) {
    let events = samples();
    let (_store, reader) = place.stored(&events);
    let kind = Kind::TokenReused;
    let filter = Filter { kinds: vec![kind], severity: Some(Severity::High), ..Filter::default() };
    let buckets = reader.counts(&Scope::Everything, &filter, 5, WITHIN).unwrap().buckets;
    assert_eq!(buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [1, 2]);
    for bucket in buckets {
        let since = bucket.start.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!((since % 300, bucket.kind, bucket.severity), (0, kind, Severity::High));
    }
}

fn rankings_add_up_over_days(place: &Place) {
    let events = samples();
    let (_store, reader) = place.stored(&events);
    let top = |filter: &Filter, dimension| {
        let ranked = reader.top(&Scope::Everything, filter, dimension, 2, WITHIN).unwrap().values;
        ranked.into_iter().map(|ranked| (ranked.value, ranked.count)).collect::<Vec<_>>()
    };
    let kinds = u64::try_from(Kind::ALL.len()).unwrap();
    let addresses = top(&Filter::default(), Dimension::Address);
    assert_eq!(addresses, [("192.0.2.7".to_owned(), kinds), ("2001:db8::7".to_owned(), kinds)]);
    for (dimension, value) in
        [(Dimension::User, "ada-1"), (Dimension::Organization, "shop"), (Dimension::Route, "/api/**")]
    {
        assert_eq!(top(&Filter::default(), dimension), [(value.to_owned(), 2 * kinds)]);
    }
    // Both rules stand on the same events, and each counts.
    let rules = [("942100".to_owned(), 2 * kinds), ("949110".to_owned(), 2 * kinds)];
    assert_eq!(top(&Filter::default(), Dimension::Rule), rules);
    let one = Filter { kinds: vec![Kind::RoleChanged], ..Filter::default() };
    assert_eq!(top(&one, Dimension::Kind), [("role_changed".to_owned(), 3)]);
}

fn a_question_has_a_deadline(place: &Place) {
    let events = samples();
    let (_store, reader) = place.stored(&events);
    let late =
        reader.page(&Scope::Everything, &Filter::default(), Order::NewestFirst, None, 10, Duration::ZERO);
    assert!(matches!(late, Err(EventError::Deadline)), "{late:?}");
}

fn old_days_go_whole(place: &Place) {
    let events = samples();
    let (mut store, reader) = place.stored(&events);
    let noon = UNIX_EPOCH + Duration::from_hours(24 * 20_789 + 12);
    let gone = store.tidy(Duration::from_hours(24 * 10), noon).unwrap();
    assert_eq!(gone, [Day(20_778)], "what a moment of is still to be kept stays");
    reader.forget(&gone);
    let page =
        reader.page(&Scope::Everything, &Filter::default(), Order::NewestFirst, None, 1000, WITHIN).unwrap();
    let kept: Vec<_> = sorted(events.clone()).into_iter().filter(|event| event.id.day() == 20_779).collect();
    assert_eq!(page.events, kept);
    let late: Vec<_> = events.into_iter().filter(|event| event.id.day() == 20_778).collect();
    store.append(&late, &[]).unwrap();
    let filter = Filter {
        span: Span::new(None, Some(late[0].id.moment() + Duration::from_hours(12))),
        ..Filter::default()
    };
    let page = reader.page(&Scope::Everything, &filter, Order::NewestFirst, None, 1000, WITHIN).unwrap();
    assert!(!page.events.is_empty(), "what comes late has a day again");
}

/// Whatever is asked.
fn an_organization_sees_its_own_alone(place: &Place) {
    let mut events = samples();
    for (index, event) in events.iter_mut().enumerate() {
        event.organization = [Some("shop"), Some("other"), None][index % 3].map(str::to_owned);
    }
    let (_store, reader) = place.stored(&events);
    let scope = Scope::Organization("shop".into());
    let own: Vec<_> = sorted(events).into_iter().filter(|event| scope.admits(event)).collect();
    let others = Filter { organization: Some("other".into()), ..Filter::default() };
    for filter in [Filter::default(), others] {
        let page = reader.page(&scope, &filter, Order::NewestFirst, None, 1000, WITHIN).unwrap();
        assert_eq!(page.events, own);
        let counts = reader.counts(&scope, &filter, 24 * 60, WITHIN).unwrap().buckets;
        assert_eq!(counts.iter().map(|bucket| bucket.count).sum::<u64>(), own.len() as u64);
        let top = reader.top(&scope, &filter, Dimension::Organization, 10, WITHIN).unwrap().values;
        assert_eq!(top.iter().map(|ranked| &*ranked.value).collect::<Vec<_>>(), ["shop"]);
    }
    let nobody = Scope::Organization("'; DROP TABLE events; --".into());
    let page = reader.page(&nobody, &Filter::default(), Order::NewestFirst, None, 1000, WITHIN).unwrap();
    assert_eq!(page.events, []);
    let kinds = Filter { kinds: vec![Kind::TokenReused], ..Filter::default() };
    let counts = reader.counts(&scope, &kinds, 5, WITHIN).unwrap().buckets;
    let of_kind = own.iter().filter(|event| event.kind == Kind::TokenReused);
    assert_eq!(counts.iter().map(|bucket| bucket.count).sum::<u64>(), of_kind.count() as u64);
    assert!(counts.iter().all(|bucket| bucket.kind == Kind::TokenReused));
}

/// Not even by asking who was where.
fn an_organization_is_not_told_where_operators_sit(place: &Place) {
    let mut events = samples();
    for event in &mut events {
        event.organization = Some("shop".into());
        // Somebody who wants to look like one: quotes within a text are escaped.
        event.details.reason = Some(BY_OPERATOR.into());
    }
    for event in events.iter_mut().step_by(3) {
        event.details.actor = Some(crate::ActorKind::User);
    }
    let (_store, reader) = place.stored(&events);
    let operators =
        events.iter().filter(|event| event.details.actor == Some(crate::ActorKind::Operator)).count();
    assert!(operators > 0);
    let scope = Scope::Organization("shop".into());
    let found = |scope: &Scope, filter: &Filter| {
        reader.page(scope, filter, Order::NewestFirst, None, 1000, WITHIN).unwrap().events.len()
    };
    let all = Filter { network: Some("::/0".parse().unwrap()), ..Filter::default() };
    assert_eq!((found(&scope, &all), found(&Scope::Everything, &all)), (0, operators));
    assert_eq!(found(&scope, &Filter::default()), events.len(), "what they did is told");
    let top = |scope: &Scope| {
        let ranked = reader.top(scope, &Filter::default(), Dimension::Address, 10, WITHIN).unwrap().values;
        ranked.into_iter().map(|ranked| ranked.value).collect::<Vec<_>>()
    };
    assert_eq!(top(&scope), ["192.0.2.7"]);
    assert_eq!(top(&Scope::Everything), ["192.0.2.7", "2001:db8::7"]);
}

/// A NUL, which a database may refuse, must not keep a batch from being stored.
fn texts_of_strangers_hold_up_nothing(place: &Place) {
    let mut events = samples();
    let odd = "a\0b \u{202e}\u{1f3f0} \\ ' \" \u{1}";
    for event in &mut events {
        event.message = odd.into();
        event.user = Some(odd.into());
        event.request = Some(odd.into());
        event.route = Some(odd.into());
        event.rules = vec![odd.into()];
        event.details.reason = Some(odd.into());
    }
    let (_store, reader) = place.stored(&events);
    let filter = Filter {
        user: Some(odd.into()),
        request: Some(odd.into()),
        rule: Some(odd.into()),
        ..Filter::default()
    };
    let page = reader.page(&Scope::Everything, &filter, Order::NewestFirst, None, 1000, WITHIN).unwrap();
    assert_eq!((page.events.len(), page.unreadable.events), (events.len(), 0));
    assert_eq!(page.events[0].details.reason.as_deref(), Some(odd));
}
