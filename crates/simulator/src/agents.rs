//! Agents that come with cotrain: the honest, the careless and the hostile ones of 0xDeCA10B's
//! simulation, and others that exploit the mechanism's rules.

mod caller;
mod copycat;
mod flip_and_report;
mod flipper;
mod honest;
mod last_minute;
mod lazy;
mod outlier;
mod poisoner;
mod rational;
mod self_reporter;
mod sybil;
mod takeover;

pub use self::{
    caller::Caller,
    copycat::Copycat,
    flip_and_report::FlipAndReport,
    flipper::Flipper,
    honest::Honest,
    last_minute::LastMinute,
    lazy::Lazy,
    outlier::Outlier,
    poisoner::{Target, TargetedPoisoner},
    rational::Rational,
    self_reporter::SelfReporter,
    sybil::Sybil,
    takeover::Takeover,
};
