//! The gridpact program: reads the command line, runs the command, turns what came of it into an
//! exit code.

use clap::Parser;
use gridpact::audit::{self, reindex, AuditError};
use gridpact::cli::{Cli, Command, DemoArgs, LedgerCommand, LogFormat};
use gridpact::configuration::page;
use gridpact::demo::{self, files};
use gridpact::gateway::{aggregates, export, fetch, GatewayError};
use gridpact::logging::{self, LogTarget};
use gridpact::members;
use gridpact::proof::check::{self, CheckError};
use gridpact::proof::prove;
use gridpact::token;
use gridpact::torment::{self, TormentArgs, TormentError};
use std::fmt::Display;
use std::process::ExitCode;

/// `ledger check`: a file is of no use.
const EXIT_UNUSABLE: u8 = 2;
/// Commands on ledgers: something does not hold.
const EXIT_WRONG: u8 = 3;
/// `bench`: a target was missed.
const EXIT_MISSED: u8 = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Demo(args) => demo(args, cli.log_format),
        Command::Forecast(args) => done(gridpact::forecast::run(&args, &mut std::io::stdout())),
        Command::Provision(args) => done(gridpact::provision::run(&args, &mut std::io::stdout())),
        Command::Run(args) => {
            if let Err(error) = logging::start(LogTarget::StandardError, cli.log_format) {
                return failed(error);
            }
            done(actix::System::new().block_on(gridpact::run::run(&args)))
        }
        Command::Check(args) => match gridpact::check::run(&args, &mut std::io::stdout()) {
            Ok(code) => code,
            Err(error) => failed(error),
        },
        Command::Device(command) => gridpact::device::run(command),
        Command::Ledger(command) => ledger(command, cli.log_format),
        Command::Sim(command) => {
            if let Err(error) = logging::start(LogTarget::StandardError, cli.log_format) {
                return failed(error);
            }
            done(gridpact::sim::run(&command, &mut std::io::stdout()))
        }
        Command::Simulate(args) => done(gridpact::simulate::run(&args)),
        Command::Bench(command) => match gridpact::bench::run(&command) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(EXIT_MISSED),
            Err(error) => failed(error),
        },
        Command::Clear(args) => gridpact::clear::run(args),
        Command::ConfigDoc => {
            print!("{}", page::render());
            ExitCode::SUCCESS
        }
        Command::RightsDoc => {
            print!("{}", ledger::rights::page::render());
            ExitCode::SUCCESS
        }
        Command::MetricsDoc => match gridpact::metrics_page::render() {
            Ok(page) => {
                print!("{page}");
                ExitCode::SUCCESS
            }
            Err(error) => failed(error),
        },
        Command::TopicsDoc => {
            print!("{}", gridpact::topics_page::render());
            ExitCode::SUCCESS
        }
    }
}

fn ledger(command: LedgerCommand, log_format: LogFormat) -> ExitCode {
    let out = &mut std::io::stdout();
    match command {
        LedgerCommand::Verify { dir, json } => match audit::run(&dir, json, out) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error @ AuditError::Wrong { .. }) => failed_with(EXIT_WRONG, error),
            Err(error) => failed(error),
        },
        LedgerCommand::Prove(args) => done(prove::run(&args, out)),
        LedgerCommand::Check { proof, genesis, after, json } => {
            match check::run((&proof, after.as_deref()), &genesis, json, out) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error @ (CheckError::NotProven(_) | CheckError::HeadNotProven(_))) => {
                    failed_with(EXIT_WRONG, error)
                }
                Err(error @ (CheckError::Print(_) | CheckError::Json(_))) => failed(error),
                Err(error) => failed_with(EXIT_UNUSABLE, error),
            }
        }
        LedgerCommand::Participants { dir, json } => done(members::listing::run(&dir, json, out)),
        LedgerCommand::Possess { genesis, party, key } => done(members::possess(&genesis, &party, &key, out)),
        LedgerCommand::Submit { file, submitter } => {
            if let Err(error) = logging::start(LogTarget::StandardError, log_format) {
                return failed(error);
            }
            let submission = members::submission::run(&file, &submitter, out);
            done(actix::System::new().block_on(submission))
        }
        LedgerCommand::Reindex { dir, whole, json } => match reindex::run(&dir, (whole, json), out) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.is_damage() => failed_with(EXIT_WRONG, error),
            Err(error) => failed(error),
        },
        LedgerCommand::Token { party, minutes } => done(token::run(&party, minutes, out)),
        LedgerCommand::Torment(args) => torment(&args),
        LedgerCommand::Simulate(args) => done(audit::simulate::run(&args, out)),
        LedgerCommand::Export(args) => given(export::run(&args, out)),
        LedgerCommand::Aggregates(args) => given(aggregates::run(&args, out)),
        LedgerCommand::Fetch(args) => given(fetch::run(&args, out)),
    }
}

fn demo(args: DemoArgs, log_format: LogFormat) -> ExitCode {
    let directory = match files::make_directory(args.data_dir.as_deref()) {
        Ok(directory) => directory,
        Err(error) => return failed(error),
    };
    // The terminal is the demo's own display's.
    if let Err(error) = logging::start(LogTarget::File(&directory.join("demo.log")), log_format) {
        return failed(error);
    }
    done(actix::System::new().block_on(demo::run(args, directory)))
}

fn given(result: Result<(), GatewayError>) -> ExitCode {
    match result {
        Err(error) if error.is_wrong() => failed_with(EXIT_WRONG, error),
        result => done(result),
    }
}

fn torment(args: &TormentArgs) -> ExitCode {
    let tormented = std::env::current_exe()
        .map_err(TormentError::Folder)
        .and_then(|program| torment::run(args, &program, &mut std::io::stdout()));
    match tormented {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) if error.is_wrong() => failed_with(EXIT_WRONG, error),
        Err(error) => failed(error),
    }
}

fn done<E: Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error),
    }
}

fn failed(error: impl Display) -> ExitCode {
    eprintln!("gridpact: {error}");
    ExitCode::FAILURE
}

fn failed_with(code: u8, error: impl Display) -> ExitCode {
    eprintln!("gridpact: {error}");
    ExitCode::from(code)
}
