//! A transaction of PostgreSQL: its scope, and its repetition where others were in the way.

use sqlx::{PgPool, Postgres, postgres::PgRow};

use crate::{
    Statement,
    repetition::{Asked, Course, REPETITIONS, Told, is_conflict},
    scope::Scope,
};

#[derive(Debug)]
pub(super) struct PostgresTransaction {
    pool: PgPool,
    scope: Scope,
    /// `None` only where a repetition could not begin: every statement fails then.
    open: Option<sqlx::Transaction<'static, Postgres>>,
    course: Course,
    /// How often it may still be repeated.
    left: usize,
}

/// What a statement answered, and what is to be remembered of it.
enum Answer {
    Rows(Vec<PgRow>),
    Count(u64),
}

impl PostgresTransaction {
    pub(super) async fn begin(pool: PgPool, scope: Scope) -> Result<Self, sqlx::Error> {
        let open = Some(begin(&pool, &scope).await?);
        Ok(Self { pool, scope, open, course: Course::default(), left: REPETITIONS })
    }

    pub(super) async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>, sqlx::Error> {
        match self.ask(Asked::Rows(statement)).await? {
            Answer::Rows(rows) => Ok(rows),
            Answer::Count(_) => Ok(Vec::new()),
        }
    }

    pub(super) async fn execute(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        match self.ask(Asked::Count(statement)).await? {
            Answer::Count(count) => Ok(count),
            Answer::Rows(_) => Ok(0),
        }
    }

    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let open = self.open.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        sqlx::raw_sql(sql).execute(&mut **open).await.map(|_| ())
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        loop {
            let open = self.open.take().ok_or(sqlx::Error::PoolClosed)?;
            match open.commit().await {
                Err(error) if is_conflict(&error) => Box::pin(self.repeat(error)).await?,
                decided => return decided,
            }
        }
    }

    async fn ask(&mut self, asked: Asked) -> Result<Answer, sqlx::Error> {
        loop {
            let open = self.open.as_mut().ok_or(sqlx::Error::PoolClosed)?;
            match answer(open, &asked).await {
                Ok(answer) => {
                    self.course.0.push((asked, answer.told()));
                    return Ok(answer);
                }
                Err(error) if is_conflict(&error) => Box::pin(self.repeat(error)).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Does it again as far as it was done. Fails with `conflict` where that is not what it was.
    async fn repeat(&mut self, mut conflict: sqlx::Error) -> Result<(), sqlx::Error> {
        'again: while self.left > 0 {
            self.left -= 1;
            // Gives its connection back, so that a full pool does not wait for itself.
            if let Some(open) = self.open.take() {
                open.rollback().await?;
            }
            let mut open = begin(&self.pool, &self.scope).await?;
            for (asked, told) in &self.course.0 {
                match answer(&mut open, asked).await {
                    Ok(answer) if answer.told() == *told => {}
                    Ok(_) => return Err(conflict),
                    Err(error) if is_conflict(&error) => {
                        conflict = error;
                        continue 'again;
                    }
                    Err(error) => return Err(error),
                }
            }
            self.open = Some(open);
            return Ok(());
        }
        Err(conflict)
    }
}

impl Answer {
    fn told(&self) -> Told {
        match self {
            Self::Rows(rows) => Told::rows(rows),
            Self::Count(count) => Told::Count(*count),
        }
    }
}

async fn begin(pool: &PgPool, scope: &Scope) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
    const SET: &str = "SELECT set_config('bartizan.scope', $1, true)";
    let mut open = pool.begin().await?;
    if let Some(setting) = scope.setting() {
        sqlx::query(SET).bind(setting).execute(&mut *open).await?;
    }
    Ok(open)
}

async fn answer(
    open: &mut sqlx::Transaction<'static, Postgres>,
    asked: &Asked,
) -> Result<Answer, sqlx::Error> {
    match asked {
        Asked::Rows(statement) => statement.clone().prepare().fetch_all(&mut **open).await.map(Answer::Rows),
        Asked::Count(statement) => {
            let done = statement.clone().prepare().execute(&mut **open).await?;
            Ok(Answer::Count(done.rows_affected()))
        }
    }
}
