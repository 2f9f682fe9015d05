#![doc = include_str!("../README.md")]

pub mod domain;

pub mod contract;

pub mod clock;
pub mod telemetry;

pub mod api;
pub mod auth;
pub mod feed;
pub mod kafka;
pub mod relay;
pub mod service;
pub mod store;
