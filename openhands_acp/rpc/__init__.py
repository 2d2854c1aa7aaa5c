"""JSON-RPC 2.0 between two peers, over lines of JSON."""

import sys
from types import ModuleType

# jsonrpcserver imports a web server for its own `serve`, which nobody calls here: 1.6 MB, and time before `initialize`.
_SERVER = "jsonrpcserver.server"
if _SERVER not in sys.modules:
    sys.modules[_SERVER] = ModuleType(_SERVER)
    vars(sys.modules[_SERVER])["serve"] = None
