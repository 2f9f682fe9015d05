"""Creates a request and prints its id and status.

usage: create_request.py TARGET SERVICE-CONFIG-FILE TEMPLATE KEY

TARGET is an address such as 127.0.0.1:8080, or several: ipv4:10.0.0.1:8080,10.0.0.2:8080. The service config is the JSON with the
retry policy of docs/clients.md. KEY is the idempotency key: whoever repeats the call with it gets the same request.
"""

import sys
from pathlib import Path

import grpc
from cmgate.v1 import error_reason_pb2, request_pb2, request_service_pb2, request_service_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def main(target, service_config, template, key):
    options = [
        ("grpc.service_config", Path(service_config).read_text()),
        # A target with several addresses has no name of its own to send as the authority.
        ("grpc.default_authority", "cmgate"),
    ]
    message = request_service_pb2.CreateRequestRequest(
        draft=request_service_pb2.RequestDraft(type=request_pb2.REQUEST_TYPE_ENROLL, profile_template=template),
        idempotency_key=key,
    )
    with grpc.insecure_channel(target, options=options) as channel:
        service = request_service_pb2_grpc.RequestServiceStub(channel)
        try:
            request = service.CreateRequest(message, timeout=10).request
        except grpc.RpcError as error:
            sys.exit(f"refused: {error.code().name} {reason(error)}: {error.details()}")
    print(request.id, request_pb2.RequestStatus.Name(request.status))


def reason(error):
    """The name of the ErrorReason; empty if the error does not come from the service, or from a later version."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == "cmgate" and info.reason in error_reason_pb2.ErrorReason.keys():
            return info.reason
    return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
