"""Segments of the real clips in `../shared/data/faces/video`, labelled by eye from their frames.

Nothing is fitted to them. `also` names other actions that a segment shows, which may be accepted or
not; every remaining action is a wrong one. Talking, laughing and grimaces are `Action.TALK`.
"""

from dataclasses import dataclass
from fractions import Fraction

from dfmnist.core.actions import Action


@dataclass(frozen=True)
class Segment:
    """A stretch of a video in which a person does something."""

    video: str
    start_s: Fraction
    end_s: Fraction
    shown: Action
    also: frozenset[Action]

    @property
    def name(self) -> str:
        return f"{self.video}_{float(self.start_s):.1f}_{self.shown.value}"

    def is_wrong(self, asked: Action) -> bool:
        """True if accepting the segment where `asked` is requested is an error."""
        return asked is not self.shown and asked not in self.also


_TABLE = """
lp_d0                 0.0  2.4  smile
lp_d0                 0.6  3.08 smile        blink
lp_d3                 4.3  7.1  yaw          look_up
lp_d3                 6.8  8.9  yaw          nod
lp_d3                 7.8  10.2 yaw          look_up
lp_d3                 9.5  11.5 surprise     open_mouth yaw
lp_d3                 9.3  11.8 open_mouth   surprise yaw
lp_d9                 0.0  2.0  blink
lp_d9                 0.7  2.1  blink
lp_d9                 6.6  8.6  yaw
lp_d9                 7.5  9.5  yaw
lp_d9                 9.6  11.6 yaw          smile blink
lp_d9                 10.4 12.2 yaw          smile blink
lp_d9                 8.8  10.8 smile        yaw blink
lp_d9                 12.4 14.4 nod          look_up blink
lp_d9                 13.0 15.0 nod          look_up blink
lp_d9                 18.3 19.5 look_up      nod blink
lp_d9                 14.6 16.2 talk         surprise blink
lp_d9                 16.3 17.5 talk         surprise blink
lp_d9                 16.9 18.3 left_slope   blink smile
pexels_wolfganglanger 5.0  7.2  look_up
pexels_wolfganglanger 5.4  7.4  look_up
pexels_wolfganglanger 8.8  10.9 smile        blink
pexels_wolfganglanger 15.6 17.6 right_slope  smile blink
pexels_wolfganglanger 18.0 19.6 left_slope   right_slope smile nod blink
lp_d19                2.1  3.7  smile        blink
lp_d19                6.9  8.3  smile
lp_d19                4.7  6.2  smile
lp_d19                6.1  7.5  smile
akiyo_cif             0.0  2.0  talk
akiyo_cif             2.0  4.0  talk
akiyo_cif             4.0  6.0  talk
akiyo_cif             6.0  8.0  talk
akiyo_cif             8.0  10.0 talk         smile
akiyo_cif             10.0 12.0 talk
lp_d19                3.5  4.9  talk
lp_d9                 2.2  3.6  talk         open_mouth
lp_d9                 3.2  4.8  talk         blink
pexels_wolfganglanger 11.0 13.0 talk         smile blink
pexels_wolfganglanger 13.0 15.0 talk         smile
pexels_wolfganglanger 0.0  2.2  talk         smile left_slope embarrassment
"""
"""Video, start and end in seconds, action shown, actions shown as well. In `lp_d9` 14.6 and 16.3
brows and eyes open wide while the mouth stays shut; the last one weeps."""

SEGMENTS: tuple[Segment, ...] = tuple(
    Segment(
        video,
        Fraction(start),
        Fraction(end),
        Action(shown),
        frozenset(map(Action, also)),
    )
    for video, start, end, shown, *also in map(str.split, _TABLE.strip().splitlines())
)
