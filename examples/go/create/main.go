// Create creates a request and prints its id and status.
//
// usage: create TARGET SERVICE-CONFIG-FILE TEMPLATE KEY
//
// The service config is the JSON with the retry policy of docs/clients.md. KEY is the idempotency key: whoever repeats the call
// with it gets the same request.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	cmgatev1 "cmgate.example/cmgate/v1"
)

func create(target, serviceConfig, template, key string) (*cmgatev1.Request, error) {
	connection, err := grpc.NewClient(
		target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
	)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	response, err := cmgatev1.NewRequestServiceClient(connection).CreateRequest(ctx, &cmgatev1.CreateRequestRequest{
		Draft:          &cmgatev1.RequestDraft{Type: cmgatev1.RequestType_REQUEST_TYPE_ENROLL, ProfileTemplate: template},
		IdempotencyKey: key,
	})
	return response.GetRequest(), err
}

// reason returns the reason of an error; unspecified if it does not come from the service, or from a later version.
func reason(err error) cmgatev1.ErrorReason {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "cmgate" {
			return cmgatev1.ErrorReason(cmgatev1.ErrorReason_value[info.GetReason()])
		}
	}
	return cmgatev1.ErrorReason_ERROR_REASON_UNSPECIFIED
}

func main() {
	config, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	request, err := create(os.Args[1], string(config), os.Args[3], os.Args[4])
	if err != nil {
		log.Fatalf("refused: %s %s: %s", status.Code(err), reason(err), status.Convert(err).Message())
	}
	fmt.Println(request.GetId(), request.GetStatus())
}
