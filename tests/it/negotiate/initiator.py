"""A client of Kerberos that binds its tickets and checks the answer of the service, as Windows programs do.

Arguments: the application data of the channel binding, or nothing. Prints a token for HTTP/localhost, reads the answer from
standard input, all in base64, and prints whether the answer proves the service.
"""

import base64
import sys

import gssapi
from gssapi.raw import ChannelBindings

SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
MUTUAL = gssapi.RequirementFlag.mutual_authentication

data = base64.b64decode(sys.argv[1]) if len(sys.argv) > 1 else None
context = gssapi.SecurityContext(
    name=gssapi.Name("HTTP@localhost", gssapi.NameType.hostbased_service),
    mech=SPNEGO,
    usage="initiate",
    flags=[MUTUAL],
    channel_bindings=ChannelBindings(application_data=data) if data else None,
)
print(base64.b64encode(context.step()).decode(), flush=True)
answer = sys.stdin.readline().strip()
try:
    context.step(base64.b64decode(answer))
    print("proven" if context.complete and MUTUAL in context.actual_flags else "incomplete")
except gssapi.exceptions.GSSError as error:
    print(f"refused: {error}")
