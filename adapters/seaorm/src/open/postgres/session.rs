//! What every session with a `PostgreSQL` server is set to.
//!
//! A statement sets it, because a pooler refuses or drops settings in the message that starts a
//! session.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;

use crate::settings::StoreSettings;

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// Changes the schema: a step may take long, and so may waiting for another process.
    Migrate,
}

/// Leaves out of the first message what a pooler would refuse there.
pub(super) fn for_poolers(options: PgConnectOptions) -> PgConnectOptions {
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("catchment"),
    };
    // Since version 12, PostgreSQL writes numbers exactly without it.
    options.extra_float_digits(None)
}

/// The statement that sets a session, so that a process that froze, or is cut off, does not hold
/// what others wait for. It leaves out what this version of the server does not have.
pub(super) fn statement(access: Access, settings: &StoreSettings) -> String {
    let limit = |duration: Duration| match access {
        Access::Migrate => String::from("0"),
        Access::Read | Access::Write => duration.as_millis().to_string(),
    };
    let idle = settings.idle_in_transaction_session_timeout;
    let read_only = if access == Access::Read { "on" } else { "off" };
    let wanted = [
        ("idle_in_transaction_session_timeout", idle.as_millis().to_string()),
        ("lock_timeout", limit(settings.lock_timeout)),
        ("statement_timeout", limit(settings.statement_timeout)),
        // The other three limit a transaction well enough.
        ("transaction_timeout", String::from("0")),
        // A session waits for its next batch for as long as it takes.
        ("idle_session_timeout", String::from("0")),
        // A client that is gone without a word is noticed within 25 seconds.
        ("tcp_keepalives_idle", String::from("10")),
        ("tcp_keepalives_interval", String::from("5")),
        ("tcp_keepalives_count", String::from("3")),
        ("tcp_user_timeout", String::from("25000")),
        ("default_transaction_read_only", String::from(read_only)),
        // Rows are locked one by one, in one order: that is enough, and is what the statements
        // were made for.
        ("default_transaction_isolation", String::from("read committed")),
        // The statements are constant, and their arrays say nothing about how many rows they
        // meet; a plan made for each set of values takes longer than running it.
        ("plan_cache_mode", String::from("force_generic_plan")),
        // Every statement goes by a key, in its order. Where nothing is known of a table yet, as
        // after its first import, the rest of it would be sorted for each page.
        ("enable_bitmapscan", String::from("off")),
    ];
    let wanted = wanted.map(|(name, value)| format!("('{name}', '{value}')")).join(", ");
    // What is reported as stored must be: a level that waits for a disk stays as it is.
    format!(
        "SELECT count(set_config(name, value, false)) FROM (
             VALUES {wanted}
             UNION ALL
             SELECT 'synchronous_commit', 'on' WHERE current_setting('synchronous_commit') = 'off'
         ) AS wanted (name, value)
         WHERE current_setting(name, true) IS NOT NULL"
    )
}
