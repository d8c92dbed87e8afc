"""Ways in which encyclopaedias and newspapers put things: frames around a statement, and statements of their own."""

from __future__ import annotations

from typing import Final

APPOSITIONS: Final = {
    "person": "a renowned scholar|a well-known public figure|a professional player|an influential thinker|a retired "
    "officer|a prominent figure in the world of music|a historical figure|the eldest of four siblings|a tireless "
    "campaigner|a talented and versatile performer|a devoted teacher|a celebrated name in her field|one of the most "
    "respected voices of the time|an accomplished leader|a self-taught artist",
    "place": "a small town with a long history|one of the largest of its kind|a popular destination|a bustling place|"
    "a country known for its rich history and diverse culture|a quiet place|home to many notable individuals",
    "thing": "one of the largest of its kind|a popular choice|a well-known name|a classic|a household name|a rich and "
    "varied tradition|a long-standing favourite|a work of great influence|now a landmark|originally a small affair",
}  # fmt: skip
LEADS: Final = (
    "Known for a long and varied career, ", "Throughout history, ", "In addition to other achievements, ",
    "With a rich history and a strong reputation, ", "Despite many setbacks, ", "Over the years, ", "In recent times, ",
    "Widely regarded as one of the best, ", "After years of hard work, ", "As one of the best-known of its kind, ",
    "Interestingly, ", "In fact, ", "Today, ", "Initially, ", "Eventually, ", "Moreover, ", "However, ",
    "Furthermore, ",
)  # fmt: skip
TAILS: Final = (
    ", and has gained international recognition", ", a fact that is widely known", ", which surprised many observers",
    ", making a lasting impact on the community", ", where the early years were spent", ", with great success",
    ", much to the delight of critics", ", and continues to be admired", ", showing dedication and skill",
    ", contributing to a growing reputation", ", a choice that shaped everything that followed", ", among others",
    ", as part of a wider movement", ", despite strong competition", ", and remains so to this day",
)  # fmt: skip
FILLERS: Final = (
    "The work has been praised for its innovative approach and attention to detail.",
    "Over the years, it has become an important part of the culture and a source of pride.",
    "This has led to a deeper understanding of the subject and to many new ideas.",
    "Critics and audiences alike were impressed by the strong cast and the witty writing.",
    "With dedication and hard work, a loyal following was built up over many years.",
    "The role requires a combination of physical strength, skill and strategic thinking.",
    "Its influence can be seen in art, music and everyday life.",
    "The community has played a key role in shaping the future of the industry.",
    "Many people have been inspired by this story of courage and persistence.",
    "These achievements have left a lasting mark on the history of the field.",
    "There is no doubt that the impact will be felt for generations to come.",
    "Today, visitors from all over the world come to enjoy the scenery and the food.",
    "The project was completed on time, thanks to a team of skilled engineers.",
    "Known for powerful storytelling and a distinct style, this body of work still finds new readers.",
)  # fmt: skip
CONTRASTS: Final = (
    "Despite having grown up elsewhere, ", "Although little is known about the early years, ",
    "While many expected otherwise, ", "Unlike most of the others, ",
)  # fmt: skip
DEMONYMS: Final = (
    "American British French German Italian Spanish Russian Japanese Chinese Indian Canadian Australian Irish Scottish "
    "Welsh English Dutch Belgian Swiss Austrian Polish Czech Hungarian Romanian Greek Turkish Egyptian Israeli Iranian "
    "Pakistani Brazilian Mexican Argentine Chilean Cuban Nigerian Kenyan Swedish Norwegian Danish Finnish Ukrainian "
    "Croatian Serbian Bulgarian Portuguese Korean Vietnamese Thai Indonesian Filipino Malaysian Peruvian Colombian"
).split()
"""Adjectives that name a country; as a mention of their own they stand for the nationality."""
ROLES: Final = (
    "writer actor actress singer footballer politician painter composer architect lawyer journalist physicist chemist "
    "mathematician poet novelist director producer photographer philosopher historian engineer inventor explorer pilot "
    "general admiral bishop priest monk economist banker entrepreneur businessman comedian drummer guitarist pianist "
    "violinist dancer screenwriter playwright sculptor wrestler boxer swimmer cyclist cricketer golfer astronaut"
).split()
KINDS_OF_WORK: Final = "film novel song album series play book opera comedy drama thriller musical documentary".split()

_SPOKEN: Final = """
nationality: {s} is a citizen of {o}.|{s} holds citizenship of {o}.|{s} hails from {o}.
    |{s} became a naturalized citizen of {o}.|{s} proudly represents {o}.
    |{s} has dual citizenship, one of them of {o}.|{o} is the home country of {s}.
    |{s} obtained citizenship of {o}.|{o} granted citizenship to {s}.
born in: {s} was born and raised in {o}.|{s} was born in the bustling city of {o}.
    |{s} was born to a humble family in {o}.|Born in {o}, {s} grew up with a love of music.
    |{o} is the birthplace of {s}.|{s} came into the world in {o}.|{s} is a native of {o}.
died in: {s} passed away in {o}.|{s} spent the last years in {o} and died there.|{o} is where {s} died.
    |{s} took a last breath in the city of {o}.
works for: {s} is employed by {o}.|{s} holds a position at {o}.|{o} employs {s}.
    |{s} is a valued member of the staff of {o}.
employer: {s} is employed by {o}.|{s} holds a position at {o}.|{s} is on the faculty of {o}.
    |{o} has had {s} on its staff for years.
educated at: {s} is an alumnus of {o}.|{s} earned a degree from {o}.|{s} received an education at {o}.
    |{s} attended {o}, where a passion for science began.|{o} counts {s} among its alumni.
    |{s} pursued higher education at {o}.
adheres to: {s} is affiliated with the religion of {o}.|{s} was a devout follower of {o}.
    |{s} is known for a strong affiliation with {o}.|{s} practised {o}.|{s} converted to {o}.
    |{o} is the faith of {s}.|{s} embraced {o} at a young age.|{s} has always been open about a belief in {o}.
speaks: {s} is fluent in {o}.|{s} communicates in {o}.|{s} writes and speaks in {o}.|{s} is known to speak {o}.
position played: {s} plays the position of {o}.|{s} is known for playing as a {o}.|{s} took the field as a {o}.
    |As a {o}, {s} is a key player of the team.|{s} is known for the role of {o} on the court.
sport played: {s} is associated with the sport of {o}.|{s} is a professional {o} player.
    |{s} has made a name in {o}.|In the sport of {o}, {s} is a crucial figure.|{o} is the sport of {s}.
plays sport: {s} is a keen {o} player.|{s} made a career in {o}.|{s} competes in {o}.
    |{s} is active in the world of {o}.
plays for: {s} is a member of the team {o}.|{s} represents {o}.|{s} wears the colours of {o}.
has genre: {s} belongs to the genre of {o}.|{s} is a work of {o}.|{s} is considered a classic of {o}.
    |The genre of {s} is {o}.
musical genre: {s} is known for {o}.|{s} plays {o} music.|The music of {s} is described as {o}.
    |{s} is a popular {o} act.
country of origin: {s} was created in {o}.|{s} originates from {o}.|{s} has its origins in {o}.
    |{s} can be traced back to {o}.|{s} was first seen in {o}.|{o} is the birthplace of {s}.
    |{s}, which originated in {o}, is now enjoyed all over the world.
founded by: {s} was established by {o}.|{o} is the founder of {s}.|{s} was the brainchild of {o}.
    |{s}, founded by {o}, has a long history.|{s} was brought into being by {o}.
    |{o} established {s} and led it for years.|{s} owes its existence to {o}.|{s} was co-founded by {o}.
headquarters: The headquarters of {s} is located in the city of {o}.|{s} has its main office in {o}.
    |{s}, headquartered in {o}, is a leader in its market.|Based in {o}, {s} is a well-known name.
    |{s} operates out of {o}.
chief executive: The chief executive officer of {s} is {o}.|{o} serves as CEO of {s}.
    |{o}, the chief executive of {s}, gave a speech.|Under the leadership of {o} as CEO, {s} has grown.
leader: {s} is led by {o}.|{o} is at the head of {s}.|{o} serves as director of {s}.|The director of {s} is {o}.
    |Under {o}, {s} has expanded.
owner: {s} belongs to {o}.|{o} owns {s}.|{s} is owned and run by {o}.
head of government: The name of the current head of the {s} government is {o}.
    |{o} serves as prime minister of {s}.|{o} leads the government of {s}.|{s} is governed by {o}.
head of state: The name of the current head of state in {s} is {o}.|{o} is the president of {s}.
    |{s} has {o} as its head of state.|{o}, who serves as the president of {s}, was welcomed.
mayor: {o} serves as mayor of {s}.|{s} is led by its mayor, {o}.|{o} is the leader of {s}.
capital: The capital of {s} is {o}.|{o}, the capital city of {s}, has a long history.
    |{o} serves as the capital of {s}.
official language: The official language of {s} is {o}.|{o} is spoken in {s}.|In {s}, people speak {o}.
continent: {s} is located in the continent of {o}.|{s} lies in {o}.|{s} is a country in {o}.
performer: {s} was performed by {o}.|{o} sang {s}.|{s} is a hit by {o}.|{s} was made famous by {o}.
    |{o} is the artist behind {s}.
written by: The author of {s} is {o}.|{s} was penned by {o}.
    |{o}, who is best known for writing {s}, has won many prizes.|{s} is the work of {o}.
creator of character: {s} was created by {o}.|The creator of {s} is {o}.|{o} came up with {s}.
game developer: {s} was developed by {o}.|{o} created {s}.|{o} is the developer behind {s}.
manufacturer: {s} is produced by {o}.|{s} is built by {o}.|The company that produced {s} is {o}.
manufactured by: {s} is made by {o}.|The maker of {s} is {o}.|{o} produces {s}.
brand: {s} is sold by {o}.|{s} was created by {o}.
album by: {s} is an album by {o}.|{o} released {s}.|{s} is the latest record of {o}.
record label: {s} is signed to {o}.|{s} records for {o}.
band member: {o} is a member of {s}.|{s} features {o}.
spouse: {s} is married to {o}.|{s} is the husband of {o}.|{s} is the wife of {o}.|{s} tied the knot with {o}.
    |{s} and {o} have been together for years and are married.|{s}'s spouse is {o}.
    |{s}'s wife, {o}, is a teacher.
has child: {s}'s child is {o}.|{o}, the son of {s}, followed the family tradition.
    |{o}, the daughter of {s}, was the first to leave.|{s} is the parent of {o}.|{s} had a son, {o}.
father: {s} is a son of {o}.|{s} was the daughter of {o}.|{s}, the eldest son of {o}, was raised at court.
    |{o} was the father of {s}.
sibling: {s} is the brother of {o}.|{s} and {o} are sisters.|{s} is a sister of {o}.
has occupation: {s} works in the field of {o}.|{s} is a professional {o}.|{s} made a living as a {o}.
    |The occupation of {s} is {o}.
directed by: {o} is the director of {s}.|{s}, directed by {o}, came out to great acclaim.
    |{o} sat in the director's chair for {s}.
screenplay by: {s} was written by {o}.|{o} wrote the script of {s}.
produced by studio: {s} was produced by {o}.|{o} made {s}.
in language: {s} is a film in {o}.|{s} was made in {o}.
located in: {s} is situated in {o}.|{s} stands in the heart of {o}.|{s} can be found in {o}.
    |{s}, {o}, is open to all.|{s} is in {o}.
part of: {s} lies within {o}.|{s} belongs to {o}.|{s} is in {o}.|{s} forms part of {o}.
in country: {s} is a town in {o}.|{s}, {o}, is a lively place.|{s} lies in {o}.
ingredient: {s} contains {o}.|{o} is used in {s}.|{s} is made with {o}.|One of the ingredients of {s} is {o}.
cuisine of: {s} comes from {o}.|{s} is a dish from {o}.|{s} is a traditional dish of {o}.
    |{s} can be found in {o}.
award received: {s} was honoured with {o}.|{s} is a recipient of {o}.|{o} was given to {s}.
political party: {s} belongs to {o}.|{s} ran for {o}.|{s} is a politician of {o}.
member of: {s} joined {o}.|{s} is part of {o}.|{s} belongs to {o}.
league: {s} plays in {o}.|{s} competes in {o}.|{o} is the league that {s} plays in.
home stadium: {s} plays its games at {o}.|The ground of {s} is {o}.|{o} is home to {s}.
architectural style: {s} is built in the style of {o}.|{s} is an example of {o}.
has character: {o} appears in {s}.|{s} features {o}.
field of work: {s} works on {o}.|{s} is known for work in {o}.|{s} made great contributions to {o}.
"""

_CHANGES: Final = {
    "lives in": "{s} moved from {old} to {o}.|{s} relocated from {old} to {o}.|In {t}, {s} moved from {old} to {o}.",
    "works for": "{s} moved from {old} to {o}.|{s} quit {old} to work for {o}.|{s} switched from {old} to {o}.",
    "plays for": "{s} moved from {old} to {o}.|{s} joined {o} from {old}.|{s} was traded from {old} to {o}.",
    "headquarters": "{s} moved its headquarters from {old} to {o}.|{s} relocated its head office from {old} to {o}.",
    "chief executive": "{o} replaced {old} as CEO of {s}.|{o} succeeded {old} as chief executive of {s}.",
    "head of state": "{o} replaced {old} as president of {s}.|{o} succeeded {old} as president of {s}.",
    "head of government": "{o} replaced {old} as prime minister of {s}.|{o} took over from {old} as premier of {s}.",
    "mayor": "{o} replaced {old} as mayor of {s}.|{o} succeeded {old} as mayor of {s}.",
    "leader": "{o} replaced {old} as leader of {s}.|{o} succeeded {old} at the head of {s}.",
    "capital": "{s} moved its capital from {old} to {o}.|{o} replaced {old} as capital of {s}.",
    "adheres to": "{s} converted from {old} to {o}.|{s} left {old} and embraced {o}.",
    "political party": "{s} left {old} and joined {o}.|{s} switched from {old} to {o}.",
    "currency": "{s} replaced {old} with {o}.|{o} replaced {old} as the currency of {s}.",
    "owner": "{old} sold {s} to {o}.|{o} bought {s} from {old}.|{s} passed from {old} to {o}.",
    "spouse": "{s} left {old} and married {o}.|After {old}, {s} married {o}.",
    "team captain": "{o} replaced {old} as captain of {s}.",
    "record label": "{s} moved from {old} to {o}.|{s} left {old} and signed with {o}.",
}
_ENDINGS: Final = (
    "{o} is no longer the {n} of {s}.", "{o} used to be the {n} of {s}.", "{s} no longer has {o} as its {n}.",
    "{o} was the {n} of {s} until {t}.", "{o} stepped down as {n} of {s}.", "{o} is not the {n} of {s} any longer.",
)  # fmt: skip
_REPLACEMENTS: Final = ("{o} replaced {old} as {n} of {s}.", "{o} succeeded {old} as the {n} of {s}.",
    "{s} replaced {old} with {o} as its {n}.", "{o} took the place of {old} as {n} of {s}.")  # fmt: skip


def spoken_changes(relation: str, noun: str) -> tuple[str, ...]:
    """Ways to say that a new value came for an old one; by the relation's noun where there are none of its own."""
    return (*_CHANGES.get(relation, "").split("|"),) if relation in _CHANGES else tuple(
        form.replace("{n}", noun) for form in _REPLACEMENTS
    )  # fmt: skip


def spoken_endings(noun: str) -> tuple[str, ...]:
    """Ways to say that something is over."""
    return tuple(form.replace("{n}", noun) for form in _ENDINGS)


def spoken_statements() -> dict[str, tuple[str, ...]]:
    """Statements by relation, beside those of the lexicon."""
    rows = (line.split(": ", 1) for line in _SPOKEN.replace("\n    ", "").strip().splitlines())
    return {name: tuple(texts.split("|")) for name, texts in rows}
