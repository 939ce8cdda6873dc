"""The measures of movement by name, for those who read bounds and measure nothing.

`movement.py` measures them; this module loads no model.
"""

TITLES: dict[str, str] = {
    "yaw_both_deg": "turn to the smaller side, degrees",
    "yaw_range_deg": "turning of the head, degrees",
    "pitch_rise_deg": "raising of the head, degrees",
    "lowered_aside_deg": "lowering of the head to a side, degrees",
    "pitch_range_deg": "nodding of the head, degrees",
    "pitch_dip_deg": "lowering and raising again of the head, degrees",
    "roll_right_deg": "tilt to the right, degrees",
    "roll_left_deg": "tilt to the left, degrees",
    "roll_range_deg": "tilting of the head, degrees",
    "eye_closure": "closing of the eyes",
    "mouth_opening": "opening of the mouth",
    "mouth_open_s": "mouth open, seconds",
    "mouth_speed": "speed of the lips, 1/s",
    "mouth_widening": "widening of the mouth",
    "corner_lift": "lifting of the mouth's corners",
    "raise_open": "raising of brows and lids with an open mouth",
    "gaze_down_wide": "lowering of the gaze with a wide mouth",
    "smile": "widening of the mouth and lifting of its corners at once",
    "embarrassed": "lowering of head and gaze with lifted corners of the mouth",
}
"""The title of each measure, used in the reason of a verdict."""
