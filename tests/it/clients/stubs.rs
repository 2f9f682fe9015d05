//! The stubs of each language compile with the commands of `docs/clients.md`, in the packages that the page names.

use super::language::{CSHARP, GO, JAVA, PYTHON, TYPESCRIPT, printed};

#[test]
fn stubs_in_python_can_be_imported() {
    let Some(folder) = PYTHON.build() else { return };
    let code = "from cmgate.v1 import request_service_pb2_grpc, credential_service_pb2_grpc, caller_service_pb2_grpc; \
                print(request_service_pb2_grpc.RequestServiceStub.__name__)";
    assert_eq!(printed(folder, &["venv/bin/python", "-c", code]), "RequestServiceStub\n");
}

#[test]
fn stubs_in_go_compile() {
    let Some(folder) = GO.build() else { return };
    let package = printed(folder, &["go", "list", "-f", "{{.ImportPath}} {{.Name}}", "./cmgate/..."]);
    assert_eq!(package, "cmgate.example/cmgate/v1 cmgatev1\n");
}

#[test]
fn stubs_in_java_compile() {
    let Some(folder) = JAVA.build() else { return };
    for class in ["Request", "RequestEvent", "ErrorReason", "RequestServiceGrpc", "CredentialServiceGrpc"] {
        let file = folder.join(format!("target/classes/cmgate/v1/{class}.class"));
        assert!(file.exists(), "{}", file.display());
    }
}

#[test]
fn stubs_in_typescript_compile() {
    let Some(folder) = TYPESCRIPT.build() else { return };
    for file in ["request_pb", "request_event_pb", "error_reason_pb", "request_service_pb", "credential_service_pb"] {
        let file = folder.join(format!("dist/gen/cmgate/v1/{file}.js"));
        assert!(file.exists(), "{}", file.display());
    }
}

#[test]
fn stubs_in_csharp_compile() {
    let Some(folder) = CSHARP.build() else { return };
    assert!(folder.join("bin").exists());
}
