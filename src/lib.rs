#![doc = include_str!("../README.md")]

pub mod domain;

pub mod contract;

pub mod clock;
pub mod config;
pub mod shutdown;
pub mod telemetry;

pub mod feed;
pub mod grpc;
pub mod http;
pub mod kafka;
pub mod mimcm;
pub mod relay;
pub mod service;
pub mod store;
pub mod tail;
pub mod templates;

pub mod cli;
pub mod exit;
pub mod run;
