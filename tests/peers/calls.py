"""A grpcio server, and a grpcio client that calls it, without generated code: messages are bytes.

`calls.py serve` prints the port that it got; `calls.py call ADDRESS` prints what calls through it came to.
"""

import queue
import sys
from concurrent import futures

import grpc


def echo(requests, context):
    context.send_initial_metadata((("x-initial", "1"),))
    for request in requests:
        yield request
    context.set_trailing_metadata((("x-trailing", "2"),))


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100%")


def deadline(request, context):
    # What is left when it arrives.
    return str(context.time_remaining() < 60).encode()


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        match details.method.rsplit("/", 1)[-1]:
            case "Echo":
                return grpc.stream_stream_rpc_method_handler(echo)
            case "Fail":
                return grpc.unary_unary_rpc_method_handler(fail)
            case "Deadline":
                return grpc.unary_unary_rpc_method_handler(deadline)


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Handler()])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def call(address):
    with grpc.insecure_channel(address) as channel:
        # Each message is sent when the one before has come back: both directions are open at once.
        back = queue.Queue()

        def messages():
            for number in range(3):
                yield str(number).encode()
                back.get(timeout=10)

        stream = channel.stream_stream("/test.Calls/Echo")(messages())
        answers = []
        for answer in stream:
            answers.append(answer.decode())
            back.put(None)
        print("echo", answers, dict(stream.initial_metadata()).get("x-initial"))
        print("trailing", dict(stream.trailing_metadata()).get("x-trailing"), stream.code())
        try:
            channel.unary_unary("/test.Calls/Fail")(b"")
        except grpc.RpcError as error:
            print("fail", error.code(), error.details())
        remaining = channel.unary_unary("/test.Calls/Deadline")(b"", timeout=30)
        print("deadline", remaining.decode())
        try:
            channel.unary_unary("/closed.Calls/Echo")(b"")
        except grpc.RpcError as error:
            print("closed", error.code(), error.details().split(":")[0])


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2])
