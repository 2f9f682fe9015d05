package examples;

import cmgate.v1.CreateRequestRequest;
import cmgate.v1.ErrorReason;
import cmgate.v1.Request;
import cmgate.v1.RequestDraft;
import cmgate.v1.RequestServiceGrpc;
import cmgate.v1.RequestType;
import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Creates a request and prints its id and status.
 *
 * <p>Arguments: target, file with the service config of docs/clients.md, profile template, and idempotency key: whoever repeats the
 * call with the key gets the same request.
 */
public final class CreateRequest {
  private CreateRequest() {}

  /** Creates the request. */
  public static void main(String[] arguments) throws IOException {
    Map<String, ?> serviceConfig = new Gson().fromJson(Files.readString(Path.of(arguments[1])), Map.class);
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create())
            .defaultServiceConfig(serviceConfig)
            .enableRetry()
            .build();
    try {
      RequestDraft draft =
          RequestDraft.newBuilder().setType(RequestType.REQUEST_TYPE_ENROLL).setProfileTemplate(arguments[2]).build();
      CreateRequestRequest message =
          CreateRequestRequest.newBuilder().setDraft(draft).setIdempotencyKey(arguments[3]).build();
      Request request =
          RequestServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(10, TimeUnit.SECONDS)
              .createRequest(message)
              .getRequest();
      System.out.println(request.getId() + " " + request.getStatus());
    } catch (StatusRuntimeException error) {
      System.err.println("refused: " + error.getStatus().getCode() + " " + reason(error) + ": " + error.getMessage());
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  /** The reason of an error; unspecified if it does not come from the service, or from a later version. */
  private static ErrorReason reason(StatusRuntimeException error) throws InvalidProtocolBufferException {
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        String name = detail.unpack(ErrorInfo.class).getReason();
        Optional<ErrorReason> known =
            Arrays.stream(ErrorReason.values()).filter(reason -> reason.name().equals(name)).findFirst();
        return known.orElse(ErrorReason.ERROR_REASON_UNSPECIFIED);
      }
    }
    return ErrorReason.ERROR_REASON_UNSPECIFIED;
  }
}
