"""How cars of a style are proportioned, and what their lamps, grilles and wheels can be like.

Proportions follow the usual ones of car design: a wheelbase of some three wheel diameters and more between the
wheels, short overhangs in front, the dash behind the front axle, glass of a third of the height. Measures are metres.
"""

from __future__ import annotations

from typing import NamedTuple


class Measures(NamedTuple):
    """A style; lengths along the car are counted from the axles, heights from the ground, widths from the middle."""

    base: float  # from axle to axle
    ahead: float  # from the front axle to the nose
    behind: float  # from the rear axle to the tail
    wheel: float  # radius
    width: float
    roof: float
    clearance: float
    nose: float  # height of the bonnet's front edge
    cowl: float  # height of the bonnet at the windscreen
    belt: float  # height of the doors
    deck: float  # height of the tail
    foot: float  # from the front axle back to the windscreen's foot
    run: float  # how far the windscreen goes back
    roof_end: float  # from the rear axle forward to where the roof begins to fall
    rear_foot: float  # from the rear axle forward to the rear window's foot
    tumble: float  # how much the side glass leans in
    shoulder: float  # what the glass stands back from the doors
    flare: float  # what wings stand out over wheels
    crest: float  # what wings stand up beside a low bonnet


STYLES = {
    "sedan": Measures(2.85, 0.84, 1.02, 0.338, 0.925, 1.43, 0.16, 0.70, 0.92, 0.95, 1.05,
                       0.50, 0.78, 0.50, -0.46, 0.42, 0.055, 0.020, 0.015),
    "coupe": Measures(2.78, 0.82, 0.96, 0.352, 0.945, 1.34, 0.14, 0.66, 0.87, 0.89, 0.97,
                       0.62, 0.78, 0.66, -0.62, 0.50, 0.065, 0.035, 0.025),
    "hatchback": Measures(2.62, 0.82, 0.70, 0.326, 0.895, 1.46, 0.16, 0.72, 0.95, 0.97, 1.02,
                       0.36, 0.82, -0.34, -0.60, 0.40, 0.045, 0.022, 0.012),
    "suv": Measures(2.88, 0.86, 0.94, 0.380, 0.965, 1.68, 0.23, 0.92, 1.09, 1.12, 1.16,
                       0.48, 0.72, -0.52, -0.80, 0.36, 0.050, 0.035, 0.012),
    "pickup": Measures(3.40, 0.92, 1.20, 0.405, 0.985, 1.83, 0.28, 1.04, 1.19, 1.17, 1.17,
                       0.58, 0.74, 1.26, 1.02, 0.33, 0.050, 0.045, 0.010),
    "van": Measures(3.00, 0.90, 1.00, 0.345, 0.975, 1.98, 0.19, 0.88, 1.14, 1.12, 1.14,
                    -0.18, 0.98, -0.74, -0.92, 0.20, 0.020, 0.015, 0.0),
    "wagon": Measures(2.86, 0.84, 1.02, 0.338, 0.925, 1.45, 0.16, 0.70, 0.92, 0.95, 1.00,
                       0.50, 0.80, -0.46, -0.86, 0.42, 0.050, 0.020, 0.015),
    "sports car": Measures(2.48, 0.92, 1.00, 0.350, 0.945, 1.28, 0.12, 0.64, 0.84, 0.87, 0.90,
                       0.44, 0.78, 0.66, -0.66, 0.55, 0.090, 0.050, 0.060),
    "supercar": Measures(2.68, 1.02, 0.84, 0.352, 0.995, 1.17, 0.10, 0.56, 0.79, 0.80, 0.93,
                       0.10, 1.08, 0.92, -0.30, 0.62, 0.120, 0.055, 0.090),
    "roadster": Measures(2.46, 0.82, 0.86, 0.335, 0.90, 1.20, 0.13, 0.62, 0.84, 0.85, 0.88,
                         0.62, 0.52, 0.90, 0.60, 0.35, 0.070, 0.040, 0.040),
    "classic car": Measures(2.40, 0.80, 0.86, 0.325, 0.80, 1.49, 0.19, 0.74, 1.00, 1.00, 0.96,
                            0.30, 0.52, 0.46, -0.52, 0.38, 0.090, 0.110, 0.0),
    "limousine": Measures(3.90, 0.88, 1.12, 0.345, 0.95, 1.47, 0.16, 0.74, 0.95, 0.97, 1.06,
                       0.56, 0.78, 0.50, -0.48, 0.40, 0.050, 0.018, 0.010),
    "race car": Measures(2.72, 1.00, 0.90, 0.352, 1.00, 1.19, 0.07, 0.57, 0.80, 0.85, 0.90,
                       0.30, 0.92, 0.86, -0.42, 0.58, 0.110, 0.075, 0.085),
    "bus": Measures(5.60, 2.40, 2.70, 0.480, 1.27, 3.00, 0.30, 1.05, 1.16, 1.16, 1.30,
                    -2.24, 0.20, -2.50, -2.64, 0.05, 0.012, 0.0, 0.0),
}  # fmt: skip
FOUR_DOORS = ("sedan", "wagon", "suv", "hatchback", "limousine")
UPRIGHT = ("hatchback", "suv", "van", "wagon", "bus")  # the rear window is the tail's
LOW = ("coupe", "sports car", "supercar", "roadster", "race car")
ROUND = ("classic car",)
SPOKES = {"five": 0, "twin": 1, "multi": 2, "mesh": 3, "disc": 4}
LAMPS = {"slim": 0, "drop": 1, "round": 2, "box": 3}
TAILS = {"slim": 0, "bar": 1, "upright": 2, "round": 3}
GRILLES = {"wide": 0, "kidney": 1, "slot": 2, "none": 3, "upright": 4}
_SPORTY = (("five", "twin", "multi"), ("slim", "drop"), ("slim", "bar", "round"), ("slot", "none"))
_USUAL = (("five", "twin", "multi", "mesh"), ("slim", "drop"), ("slim", "bar"), ("wide", "kidney", "slot"))
_HIGH = (("five", "twin", "mesh"), ("slim", "box", "drop"), ("upright", "slim"), ("wide", "upright", "kidney"))
_WORK = (("disc", "five"), ("box",), ("upright",), ("wide", "upright"))
_OLD = (("disc",), ("round",), ("round",), ("none",))
DESIGNS = {  # wheels, headlamps, tail lamps, grilles that a style can have
    **dict.fromkeys(STYLES, _USUAL),
    **dict.fromkeys(LOW, _SPORTY),
    "suv": _HIGH,
    "pickup": (("five", "twin"), ("box",), ("upright",), ("wide", "upright")),
    "van": _WORK,
    "bus": (("disc",), ("box", "slim"), ("upright",), ("none",)),
    "classic car": _OLD,
    "limousine": (("multi", "twin", "mesh"), ("slim", "drop"), ("slim", "bar"), ("upright", "kidney")),
}
