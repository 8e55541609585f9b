"""The row that foreign clients ask about; their environments hold nothing of ours."""

from typing import Any

ROW: dict[str, Any] = {
    "island": "Biscoe",
    "bill_length_mm": 45.2,
    "bill_depth_mm": 14.0,
    "flipper_length_mm": 210.0,
    "body_mass_g": 5000.0,
    "sex": "male",
}
