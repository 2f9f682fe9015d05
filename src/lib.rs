#![doc = include_str!("../README.md")]

pub mod domain;

pub mod runtime;

pub mod config;
pub mod contract;

pub mod store;

pub mod feed;
pub mod relay;
pub mod service;

pub mod grpc;
pub mod mimcm;

pub mod http;

pub mod cli;
