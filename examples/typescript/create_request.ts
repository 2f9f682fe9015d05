// Creates a request and prints its id and status.
//
// usage: node dist/create_request.js URL TEMPLATE KEY
//
// KEY is the idempotency key: whoever repeats the call with it gets the same request.

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorReason } from "./gen/cmgate/v1/error_reason_pb.js";
import { RequestStatus, RequestType } from "./gen/cmgate/v1/request_pb.js";
import { RequestService } from "./gen/cmgate/v1/request_service_pb.js";
import { ErrorInfoSchema } from "./gen/error_info_pb.js";

const [url = "http://127.0.0.1:8080", template = "", key = ""] = process.argv.slice(2);
const service = createClient(RequestService, createGrpcTransport({ baseUrl: url, defaultTimeoutMs: 10_000 }));

try {
  const draft = { type: RequestType.ENROLL, profileTemplate: template };
  const { request } = await service.createRequest({ draft, idempotencyKey: key });
  console.log(request?.id, RequestStatus[request?.status ?? RequestStatus.UNSPECIFIED]);
} catch (error) {
  const refusal = ConnectError.from(error);
  console.error(`refused: ${Code[refusal.code]} ${reason(refusal)}: ${refusal.rawMessage}`);
  process.exitCode = 1;
}

// The name of the ErrorReason; undefined if the error does not come from the service, or from a later version.
function reason(error: ConnectError): string | undefined {
  const info = error.findDetails(ErrorInfoSchema).find((info) => info.domain === "cmgate");
  return info && info.reason in ErrorReason ? info.reason : undefined;
}
