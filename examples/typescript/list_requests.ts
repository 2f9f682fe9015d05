// Lists requests over gRPC-Web, as a page in a browser does. The service must allow the origin of the page (cors.origins).
//
// usage: node dist/list_requests.js URL

import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { RequestStatus } from "./gen/cmgate/v1/request_pb.js";
import { RequestService } from "./gen/cmgate/v1/request_service_pb.js";

const [url = "http://127.0.0.1:8080"] = process.argv.slice(2);
const service = createClient(RequestService, createGrpcWebTransport({ baseUrl: url }));

let pageToken = "";
do {
  const page = await service.getRequests({ pageToken });
  for (const request of page.requests) {
    console.log(request.id, RequestStatus[request.status]);
  }
  pageToken = page.nextPageToken;
} while (pageToken !== "");
