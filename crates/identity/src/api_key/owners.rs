//! What the store says of those whom keys belong to.

use bartizan_store::{Row, Statement, Store, StoreError};

use super::record::{Owner, OwnerId};
use crate::holder::{Binding, grants};

macro_rules! people {
    ($which:literal) => {
        concat!(
            "SELECT u.id, u.disabled_at AS barred_at, CAST(1 AS BIGINT) AS is_person, '' AS own, b.role AS role, \
             b.organization_id AS role_organization, b.scope AS role_scope, b.expires_at AS role_expires_at, \
             c.permissions AS role_permissions FROM users u LEFT JOIN role_bindings b ON b.user_id = u.id \
             LEFT JOIN custom_roles c ON c.organization_id = b.organization_id AND b.role = 'custom/' || c.name \
             WHERE u.id ",
            $which
        )
    };
}

macro_rules! services {
    ($which:literal) => {
        concat!(
            "SELECT u.id, u.suspended_at AS barred_at, CAST(0 AS BIGINT) AS is_person, u.permissions AS own, b.role AS role, \
             u.organization_id AS role_organization, b.scope AS role_scope, b.expires_at AS role_expires_at, \
             c.permissions AS role_permissions FROM services u LEFT JOIN service_roles b ON b.service_id = u.id \
             LEFT JOIN custom_roles c ON c.organization_id = u.organization_id AND b.role = 'custom/' || c.name \
             WHERE u.id ",
            $which
        )
    };
}

const ONE_PERSON: &str = people!("= $1");
const PEOPLE_PAGE: &str = people!(
    "IN (SELECT DISTINCT user_id FROM api_keys WHERE user_id > $1 AND revoked_at IS NULL \
     ORDER BY user_id LIMIT 500) ORDER BY u.id"
);
const ONE_SERVICE: &str = services!("= $1");
const SERVICE_PAGE: &str = services!(
    "IN (SELECT DISTINCT service_id FROM api_keys WHERE service_id > $1 AND revoked_at IS NULL \
     ORDER BY service_id LIMIT 500) ORDER BY u.id"
);

/// Who is read in pages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Page {
    People,
    Services,
}

/// One owner; `None` for an organisation, of which there is nothing to read.
pub(crate) async fn read(store: &Store, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
    let (which, one) = match id {
        OwnerId::Person(person) => (person, ONE_PERSON),
        OwnerId::Service(service) => (service, ONE_SERVICE),
        OwnerId::Organization => return Ok(None),
    };
    let rows = store.everywhere().rows(Statement::new(one).text(&**which)).await?;
    owner_of(&rows).map(Some)
}

/// Owners of keys, those with the next ids.
pub(crate) async fn read_page(
    store: &Store,
    page: Page,
    after: &str,
) -> Result<Vec<(String, Owner)>, StoreError> {
    let rows = store.everywhere().rows(Statement::new(page.sql()).text(after)).await?;
    by_id(&rows)?.into_iter().map(|(id, rows)| Ok((id, owner_of(rows)?))).collect()
}

impl Page {
    const fn sql(self) -> &'static str {
        match self {
            Self::People => PEOPLE_PAGE,
            Self::Services => SERVICE_PAGE,
        }
    }

    pub(crate) fn owner(self, id: &str) -> OwnerId {
        match self {
            Self::People => OwnerId::Person(id.into()),
            Self::Services => OwnerId::Service(id.into()),
        }
    }
}

/// Rows of one id stand together.
pub(crate) fn by_id(rows: &[Row]) -> Result<Vec<(String, &[Row])>, StoreError> {
    let ids = rows.iter().map(|row| row.text("id")).collect::<Result<Vec<_>, _>>()?;
    let (mut groups, mut rest) = (Vec::new(), rows);
    for same in ids.chunk_by(|one, other| one == other) {
        let (group, others) = rest.split_at(same.len());
        groups.extend(same.first().map(|id| (id.clone(), group)));
        rest = others;
    }
    Ok(groups)
}

fn owner_of(rows: &[Row]) -> Result<Owner, StoreError> {
    let Some(first) = rows.first() else { return Ok(Owner::gone()) };
    Ok(Owner {
        is_barred: first.optional_integer("barred_at")?.is_some(),
        is_person: first.integer("is_person")? != 0,
        own: grants(&first.text("own")?)?.into_vec(),
        bindings: rows.iter().map(Binding::of).filter_map(Result::transpose).collect::<Result<_, _>>()?,
    })
}
