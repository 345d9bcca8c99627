"""A browser tab without a browser: Streamlit's own protocol, spoken to a running server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
from google.protobuf.json_format import MessageToDict
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.util import calc_hash
from websockets.sync.client import ClientConnection, connect

from tests.live import Live

PATIENCE = 300.0  # seconds after which a page hangs
_PAUSES = (0.05, 0.8)  # seconds between two looks at a page that waits: at first, and at most


class Tab:
    """One session of a running server: it opens an address, waits for its jobs, and reads what is shown."""

    def __init__(self, connection: ClientConnection, page: str, **query: str | list[str]) -> None:
        self._connection = connection
        self._page, self._query = page, urlencode(query, doseq=True)
        self._typed: dict[str, WidgetState] = {}
        self._shown: dict[tuple[int, ...], Any] = {}
        self._waits = False

    def look(self) -> list[dict[str, Any]]:
        """Run the page until no job of it is under way; its elements in their order, each with its ``kind``."""
        self._run()
        return self._settled()

    def press(self, label: str) -> list[dict[str, Any]]:
        """Press the button whose label begins so, and look."""
        (button,) = [one for one in self._elements("button") if one.label.startswith(label)]
        self._run(WidgetState(id=button.id, trigger_value=True))
        return self._settled()

    def has(self, label: str) -> bool:
        """Whether a button whose label begins so was shown last."""
        return any(one.label.startswith(label) for one in self._elements("button"))

    def write(self, column: str, row: int, text: str) -> None:
        """Write into a cell of the table editor that has this column; the next look sends it."""
        (editor,) = [one for one in self._elements("dataframe") if column in json.loads(one.columns)]
        edited = {"edited_rows": {str(row): {column: text}}, "added_rows": [], "deleted_rows": []}
        self._typed[editor.id] = WidgetState(id=editor.id, string_value=json.dumps(edited))

    def _elements(self, kind: str) -> list[Any]:
        return [getattr(one, kind) for one in self._shown.values() if one.WhichOneof("type") == kind]

    def _settled(self) -> list[dict[str, Any]]:
        until, pause = time.monotonic() + PATIENCE, _PAUSES[0]
        while self._waits:
            assert time.monotonic() < until, f"{self._page}?{self._query} hangs"
            time.sleep(pause)
            pause = min(1.5 * pause, _PAUSES[1])
            self._run()
        return [_plain(self._shown[path]) for path in sorted(self._shown)]

    def _run(self, *pressed: WidgetState) -> None:
        sent = BackMsg()
        sent.rerun_script.query_string = self._query
        sent.rerun_script.page_script_hash = calc_hash(self._page)
        sent.rerun_script.widget_states.widgets.extend([*self._typed.values(), *pressed])
        self._connection.send(sent.SerializeToString())
        while True:
            message = ForwardMsg.FromString(self._connection.recv(PATIENCE))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._shown, self._waits = {}, False
            elif kind == "auto_rerun":  # the browser would draw the progress of a job again and again
                self._waits = True
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._shown[tuple(message.metadata.delta_path)] = message.delta.new_element
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return


@contextmanager
def tab(live: Live, page: str, **query: str | list[str]) -> Iterator[Tab]:
    """A new tab at this address; it closes with the block."""
    with connect(f"ws://{live.address}:{live.port}/_stcore/stream", max_size=None, compression=None) as connection:
        yield Tab(connection, page, **query)


def _plain(element: Any) -> dict[str, Any]:
    kind = element.WhichOneof("type")
    found = MessageToDict(getattr(element, kind), preserving_proto_field_name=True)
    if kind == "dataframe":
        found["arrow_data"] = pa.ipc.open_stream(element.dataframe.arrow_data.data).read_all().to_pydict()
    return {"kind": kind, **found}
