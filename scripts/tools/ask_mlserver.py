"""Ask a service with MLServer's types and codecs; run by an environment of mlserver.lock.

Takes the address of a service of penguins. Prints the predictions.
"""

import json
import sys
from urllib.request import Request, urlopen

import pandas as pd
from mlserver.codecs import PandasCodec
from mlserver.types import InferenceResponse
from penguin import ROW


def main(address: str) -> None:
    """Two rows as a data frame, written and read by the codec for frames."""
    kinds = {name: object if isinstance(value, str) else float for name, value in ROW.items()}
    frame = pd.DataFrame({n: pd.Series([v] * 2, dtype=kinds[n]) for n, v in ROW.items()})
    request = PandasCodec.encode_request(frame, use_bytes=False)
    asked = Request(  # noqa: S310  # an address of this machine
        f"{address}/v2/models/penguins/infer",
        request.model_dump_json().encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(asked) as answer:  # noqa: S310
        response = InferenceResponse.model_validate_json(answer.read())
    print(json.dumps([str(label) for label in response.outputs[0].data]))


if __name__ == "__main__":
    main(sys.argv[1])
