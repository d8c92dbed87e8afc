"""Stop words."""

from __future__ import annotations

STOP_WORDS = frozenset(
    """a about above act acted acting actor actors actress after again all also am an and any are as at award be because
    been before being below between both but by came can come city could country created date day did direct directed
    director directors do does doing done down during each english fall few film films find first for from further
    genre genres get give had has have having he her here hers him his how i if in into is it its just kind know
    language languages last least list made make many me more most movie movies much my name named new no nor not now
    number of off old on once one only or other our out over own part people person place play played please released
    same say screenwriter she should show small so some star starred stars story such tag tags take tell than that the
    their them then there these they thing things this those through time to too topic two type types under until up
    us use very was way we were what when where which while who whom whose why will with word words work works would
    write writer writers written wrote year years you your""".split()
)
"""Function words and frequent words of questions about films: names only with a capital, as the film ``It``."""
