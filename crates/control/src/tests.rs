//! The admin API as its callers see it.

mod access;
mod addresses;
mod alerts;
mod audit;
mod configuration;
mod document;
mod events;
mod fixture;
mod limits;
mod policies;
mod posture;
mod requests;
mod status;
