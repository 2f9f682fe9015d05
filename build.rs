//! Compiles the contract in `proto/` without protoc, and keeps its descriptors for reflection.

use std::{env, fs, io, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");

    let files = [
        "request",
        "credential",
        "user",
        "request_event",
        "request_service",
        "credential_service",
        "caller_service",
        "directory_service",
        "error_reason",
    ];
    let files = files.map(|name| format!("cmgate/v1/{name}.proto"));
    let descriptors = protox::compile(files, ["proto"])?;
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(out.join("cmgate.descriptors"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
