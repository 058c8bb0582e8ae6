//! The frame around the work of every service: settings, log lines, probes, and the end.

use std::pin::pin;
use std::process::ExitCode;

use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};

use self::arguments::{Arguments, Verb};
pub use self::ending::ProcessError;
use self::ending::{code, complain, conclude};
use self::probes::Probes;
pub use self::readiness::Readiness;
pub use self::shutdown::Shutdown;
use self::shutdown::{Requests, Stopper};
use crate::settings::{Layers, Settings};
use crate::telemetry;

mod arguments;
pub mod database;
mod ending;
pub mod health;
pub mod kafka;
mod probes;
mod readiness;
pub mod reasons;
mod shutdown;
pub mod topics;

/// The description of a service.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// The name of the service and of its program.
    pub name: &'static str,
    /// A description of the service, for `--help`.
    pub about: &'static str,
    /// The conditions that must hold for the service to be ready.
    pub conditions: &'static [&'static str],
}

/// The tools for the work of a service.
#[derive(Debug)]
pub struct Service {
    /// The settings.
    pub settings: Settings,
    /// Tells the work when to stop.
    pub shutdown: Shutdown,
    /// Collects which conditions hold.
    pub readiness: Readiness,
}

/// Runs a service by its command line, and returns the exit code.
///
/// After the first request to stop, the process is no longer ready, and its work is asked to end
/// before the drain deadline. After the second request, the process ends at once.
pub fn run<W>(role: &Role, work: impl FnOnce(Service) -> W) -> ExitCode
where
    W: Future<Output = Result<(), ProcessError>>,
{
    let arguments = match Arguments::read(role, std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(usage) => {
            complain(role.name, &usage);
            return ExitCode::from(code::WRONG_USAGE);
        }
    };
    // A service logs at `info` unless the settings say otherwise. A command does not.
    let defaults = [("log.level", "info")];
    let layers = Layers::of_process(None).with_file(arguments.config).with_defaults(&defaults);
    match (Settings::load(&layers), arguments.verb.unwrap_or(Verb::Run)) {
        (Err(error), _) => conclude(role.name, &error.into()),
        (Ok(settings), Verb::Run) => serve(role, settings, work),
        (Ok(settings), Verb::Health) => check_health(role, &settings),
    }
}

fn check_health(role: &Role, settings: &Settings) -> ExitCode {
    let Some(address) = settings.probes else {
        complain(role.name, &"there are no probes to ask: `probes.address` is `none`");
        return ExitCode::from(code::BAD_SETTINGS);
    };
    match health::ask(address) {
        Ok(health) if health.is_ready => ExitCode::SUCCESS,
        Ok(health) => {
            complain(role.name, &format_args!("not ready: {}", health.text));
            ExitCode::from(code::NOT_READY)
        }
        Err(error) => {
            complain(role.name, &format_args!("no answer from {address}: {error}"));
            ExitCode::from(code::NOT_READY)
        }
    }
}

fn serve<W>(role: &Role, settings: Settings, work: impl FnOnce(Service) -> W) -> ExitCode
where
    W: Future<Output = Result<(), ProcessError>>,
{
    telemetry::install(&settings.log);
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = format!("could not start threads: {error}");
            return conclude(role.name, &ProcessError::Internal(error));
        }
    };
    let result = runtime.block_on(attend(role, settings, work));
    // A thread that waits for a broker or a database must not hold up the end.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| conclude(role.name, &error))
}

/// Runs the work until it ends, is late, or the process is told to end at once.
async fn attend<W>(
    role: &Role,
    settings: Settings,
    work: impl FnOnce(Service) -> W,
) -> Result<ExitCode, ProcessError>
where
    W: Future<Output = Result<(), ProcessError>>,
{
    say_start(role, &settings);
    let mut requests = listen(&settings)?;
    let readiness = Readiness::new(role.conditions);
    open_probes(&settings, &readiness).await?;
    let (stopper, shutdown) = Stopper::new(settings.drain);
    let mut work = pin!(work(Service { settings, shutdown, readiness: readiness.clone() }));
    let request = tokio::select! {
        result = &mut work => {
            result?;
            return Err(ProcessError::Internal("ended without being told to".to_owned()));
        }
        request = requests.next() => request,
    };
    // This comes first, so that nobody sends new work to a process that is ending.
    readiness.drain();
    tracing::info!(role = role.name, %request, "told to stop: finishing what is under way");
    let (told, end) = (Instant::now(), stopper.stop());
    tokio::select! {
        result = &mut work => result?,
        () = requests.insisted() => leave(role, code::TERMINATED, "told again to stop: ended at once"),
        () = sleep_until(end) => leave(role, code::NOT_DRAINED, "ended at the drain deadline"),
    }
    let elapsed_ms = told.elapsed().as_millis();
    tracing::info!(role = role.name, elapsed_ms, "stopped in time");
    Ok(ExitCode::SUCCESS)
}

/// Ends the process without dropping the work: dropping the client of a lost broker may take for
/// ever.
fn leave(role: &Role, code: u8, how: &'static str) -> ! {
    tracing::warn!(role = role.name, "{how}");
    std::process::exit(code.into())
}

fn listen(settings: &Settings) -> Result<Requests, ProcessError> {
    let refused = |error| ProcessError::Internal(format!("could not listen to signals: {error}"));
    Requests::listen(settings.ends_with_stdin).map_err(refused)
}

async fn open_probes(settings: &Settings, readiness: &Readiness) -> Result<(), ProcessError> {
    let Some(address) = settings.probes else { return Ok(()) };
    let probes = Probes::bind(address).await.map_err(|error| {
        let what = format!("could not listen on `probes.address` {address}: {error}");
        ProcessError::Unavailable(what)
    })?;
    tokio::spawn(probes.serve(readiness.clone()));
    Ok(())
}

fn say_start(role: &Role, settings: &Settings) {
    let changed: Vec<String> = settings
        .shown()
        .into_iter()
        .filter(|setting| !setting.is_default)
        .map(|setting| format!("{}={}", setting.key, setting.text))
        .collect();
    let (version, settings) = (env!("CARGO_PKG_VERSION"), changed.join(" "));
    tracing::info!(role = role.name, version, settings, "starting");
}
