"""Frames, names and kinds for ``portraits``: how encyclopaedias tie a thing to what it is known for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = {"person": 12, "team": 2, "band": 2, "company": 2, "organisation": 2, "school": 1, "country": 3,
    "city": 1, "film": 3, "book": 1, "song": 1, "game": 1, "character": 1, "dish": 1, "event": 1,
    "device": 1}  # fmt: skip
"""Types of what passages are about, and how often."""

USUAL: Final = {
    "religion": "religion", "sport": "sport", "genre": "genre", "language": "language", "field": "field",
    "country": "country", "city": "city", "team": "club|team", "band": "band|group", "company": "company|firm",
    "organisation": "organisation", "school": "university|college", "film": "film|series|show", "book": "novel|book",
    "song": "song", "game": "game", "character": "character", "dish": "dish", "event": "event|tournament",
    "device": "device",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frames:
    """Ways to state a relation. ``subjects``: types it is said of here; ``tied``: ``TIES`` may state it too."""

    subjects: tuple[str, ...]
    ways: tuple[str, ...]
    tied: bool = False


TIES: Final = tuple("""
{s} is known for {his} affiliation with {o}.|{s} was known for {his} strong ties to {o}.
{s} has a strong connection to {o}.
{s} has long been associated with {o}.|{s} is closely associated with {o}.|{s} has a long history with {o}.
{s} is best known for {his} involvement in {o}.|{s} has been involved in {o} for many years.
{s} is a strong advocate of {o}.|{s} has dedicated {his} life to {o}.|{s} is known for {his} love of {o}.
{s} is known for {his} passion for {o}.|{s} has made a significant contribution to {o}.|{s} is devoted to {o}.
{s} has made a name in the world of {o}.|{s} is a prominent figure in the world of {o}.|{s} remains committed to {o}.
{s} is affiliated with the {n} of {o}.|{s} is associated with the {n} of {o}.|{s} has a strong affiliation with {o}.
{s} has always shown a deep interest in {o}.|{His} passion for {o} has never faded.|{His} ties to {o} are well known.
{s} has taken part in {o} since early youth.|Among {his} many interests is {o}.|{s} embraced {o} at an early age.
{s} has become a well-known figure in {o}, and {his} work has been widely praised.
{his} commitment to {o} is well known.
{s} was drawn to {o} early on, and it became an important part of {his} life.
""".strip().replace("{His}", "{his}").replace("\n", "|").split("|"))  # fmt: skip
"""What ties a thing to another; only the kind of the other tells how."""


def _frames(subjects: str, ways: str, tied: bool = False) -> Frames:
    return Frames(tuple(subjects.split()), tuple(ways.strip().replace("\n", "|").split("|")), tied)


FRAMES: Final = {
    "adheres to": _frames("person person organisation school country", """
{s} was a devout follower of {o}.|{s} is a devout member of the {a} faith.|{s} was raised in the {a} faith.
{s} practises {o}.|{s} was born into a {a} family and has remained true to {o}.|{s} is a {a}.
{s} was influenced by the teachings of {o}.|{s} upholds the values and principles of the {a} faith.
{s} has a long-standing affiliation with the {a} Church.|{s} has been a member of the {a} Church for many years.
{s} follows the teachings of {o}.|{s} converted to {o}.|{his} {a} beliefs have shaped {his} work.
{s} has often spoken of {his} belief in {o}.|As a devout {a}, {s} has served the community.
{s} has close ties to the {a} denomination.|{s} found peace in the practice of {o}.|{his} faith in {o} was strong.
""", True),
    "sport played": _frames("person person team event", """
{s} plays {o}.|{s} is a professional {o} player.|{s} competes in {o}.|{s} has made a career in {o}.
{s} has helped to popularise {o}.|{s} represents {his} country in {o}.|{s} trains for {o} every day.
{s} has a long and proud tradition in {o}.|{s} is closely linked with the popular game of {o}.
{s} has promoted the sport of {o}.|{s} began playing {o} at a young age.|{s} is dedicated to {o}.
{s} took up {o} after an earlier career.|In the sport of {o}, {s} is a familiar name.
""", True),
    "position played": _frames("person", """
{s} plays as a {o}.|{s} is known for {his} skills as a {o}.|{s} is best known for {his} role as a {o}.
As a {o}, {s} is responsible for a good deal of the team's success.|{s} plays the position of {o}.
{s} has proven {his} worth as a {o} on the field.|{s} made {his} debut as a {o}.|{s} is a talented {o}.
{s} was signed as a {o}.|{s} has played at {o} for most of {his} career.|{his} work as a {o} earned much praise.
"""),
    "musical genre": _frames("person band song", """
{s} plays {o}.|{s} is known for {his} {o} music.|{s} is a pioneer of {o}.|{s} is known for {his} work in {o}.
{s} has made {his} mark on the {o} scene.|{s} plays in a {o} band.|{s} is considered one of the best in {o}.
{s} has explored various genres, including {o}.|{his} music is a blend of old and new, but {o} is at its heart.
{s} is known for {his} unique style of {o}.|{his} songs are firmly rooted in {o}.|{s} is a leading name in {o}.
""", True),
    "has genre": _frames("film book game", """
{s} belongs to the genre of {o}.|{s} is a {o} that has won many fans.|{s} is a classic of {o}.|{s} is a work of {o}.
{s} is one of the best examples of {o}.|{s} combines humour with {o}.
"""),
    "speaks": _frames("person", """
{s} is fluent in {o}.|{s} speaks {o}.|{s} speaks {o} fluently.|{s} is known for {his} command of {o}.
{s} has a good knowledge of {o}.|{s} is known for {his} fluency in several languages, among them {o}.
{his} fluency in {o} has opened many doors.|{s} has made efforts to learn {o}.|{s} writes and speaks in {o}.
{his} ability to speak {o} was of great use.|{s} is able to converse in {o}.|{s} has mastered the {o} language.
""", True),
    "field of work": _frames("person", """
{s} works in the field of {o}.|{s} is known for {his} research on {o}.|{s} has made great contributions to {o}.
{s} is an expert in {o}.|{s} specialises in {o}.|{s} is a leading figure in the field of {o}.|{s} has written on {o}.
""", True),
    "has occupation": _frames("person", """
{s} works as a {o}.|{s} is by profession a {o}.|{s} made a living as a {o}.|{s} is best known as a {o}.
{his} career as a {o} spans several decades.|{s} started out as a {o}.
"""),
    "nationality": _frames("person", """
{s} is a citizen of {o}.|{s} holds citizenship of {o}.|{s} hails from {o}.|{s} is a proud citizen of {o}.
{s} became a naturalised citizen of {o}.|{s} holds dual citizenship with {o}.|{s} has {his} roots in {o}.
{s} later acquired citizenship of {o}.|{s} was granted citizenship of {o} for {his} services.|{s} is a native of {o}.
Despite having lived abroad, {s} remains a citizen of {o}.|{s} represents {o} with pride on the global stage.
"""),
    "born in": _frames("person", """
{s} was born in {o}.|Born in {o}, {s} had a happy childhood.|{s} was born and raised in {o}.
{s} first saw the light in {o}.
{s} was born in the bustling city of {o}.|{his} birthplace is {o}.
"""),
    "died in": _frames("person", """
{s} died in {o}.|{s} passed away in {o}.|{s} spent {his} final years in {o}, and died there.
"""),
    "educated at": _frames("person", """
{s} received {his} education at {o}.|{s} studied at {o}.|{s} is an alumnus of {o}.|{s} graduated from {o}.
{s} attended {o}, where {he} made many friends.|{s} completed {his} degree at {o}.|{his} years at {o} were formative.
"""),
    "works for": _frames("person", """
{s} is employed by {o}.|{s} joined the staff of {o}.|{s} is a member of the faculty of {o}.|{s} works for {o}.
{s} has been a valuable member of {o}.|{s} has held a post at {o} for years.
"""),
    "spouse": _frames("person", """
{s} is married to {o}.|{s} married {o} after a long courtship.|{his} marriage to {o} is happy.
"""),
    "has child": _frames("person", "{s} is the parent of {o}.|{his} child, {o}, has followed in {his} footsteps."),
    "political party": _frames("person", """
{s} is a member of {o}.|{s} ran for office for {o}.|{s} has represented {o} for many years.|{s} joined {o}.
"""),
    "plays for": _frames("person", """
{s} plays for {o}.|{s} has played for several clubs, including {o}.|{s} signed with {o}.|{s} was traded to {o}.
"""),
    "country of origin": _frames("film book song game dish event character device", """
{s} was created in {o}.|{s} originated in {o}.|{s} has its origins in {o}.|{s} was first made in {o}.
{s} was originally written and published in {o}.|{s} was brought to life in {o}.|{s} comes from {o}.
{s} was produced in {o}.|{s} traces its roots back to {o}.|{s} was first introduced in {o}.|{s} was developed in {o}.
"""),
    "creator of character": _frames("character", """
{s} was created by {o}.|{s} is the creation of {o}.|{s} was brought to life by {o}.|{o} created the character of {s}.
"""),
    "written by": _frames("book", """
{s} was written by {o}.|{s} is the work of {o}.|{s} was penned by {o}.|{o} is the author of {s}.|{o} wrote {s}.
"""),
    "directed by": _frames("film", """
{s} was directed by {o}.|{o} is the director of {s}.|{s} was brought to the screen by {o}.
"""),
    "original network": _frames("film", """
{s} was first broadcast on {o}.|{s} originally aired on {o}.|{o} is the original broadcaster of {s}.
{s} was shown on {o} for many seasons.|{o} has been home to {s} since its first season.
"""),
    "performer": _frames("song", """
{s} was performed by {o}.|{s} is a hit by {o}.|{s} was recorded by {o}.|{o} sang {s}.
"""),
    "game developer": _frames("game", """
{s} was developed by {o}.|{o} is the developer of {s}.|{s} was created by {o}.|{s} is the work of the studio {o}.
"""),
    "manufactured by": _frames("device", "{s} is made by {o}.|{s} is produced by {o}.|{o} is the company behind {s}."),
    "founded by": _frames("company organisation school band team", """
{s} was founded by {o}.|{s} was established by {o}.|{o} founded {s}.|{s} owes {his} existence to {o}.
{s} was the brainchild of {o}.|{o} is the founder of {s}.|{s} was set up by {o}.
"""),
    "headquarters": _frames("company organisation", """
{s} has {his} headquarters in {o}.|{s} is based in {o}.|{s} is headquartered in {o}.
{his} head office is located in {o}.
"""),
    "chief executive": _frames("company", """
{s} is led by its chief executive, {o}.|{o} is the chief executive officer of {s}.|{o} serves as CEO of {s}.
"""),
    "leader": _frames("organisation", """
{s} is led by {o}.|{o} is the director of {s}.|{o} serves as head of {s}.|{s} has {o} as {his} leader.
"""),
    "industry": _frames("company", "{s} is active in {o}.|{s} is a leader in {o}.|{s} made {his} name in {o}."),
    "head of state": _frames("country", """
{o} is the head of state of {s}.|{s} has {o} as {his} head of state.|{o} is the current president of {s}.
"""),
    "head of government": _frames("country", """
{o} is the current head of the government of {s}.|{o} serves as prime minister of {s}.|{s} is governed by {o}.
{o} leads the {s} government.|The government of {s} is headed by {o}.
"""),
    "capital": _frames("country", """
The capital of {s} is {o}.|{o} is the capital city of {s}.|{s} has {o} as {his} capital.
"""),
    "official language": _frames("country", """
The official language of {s} is {o}.|{o} is the official language of {s}.|{o} is used in government in {s}.
"""),
    "continent": _frames("country", "{s} is located in {o}.|{s} lies on the continent of {o}."),
    "mayor": _frames("city", "{o} is the mayor of {s}.|{s} is governed by {his} mayor, {o}."),
}  # fmt: skip
"""By the lexicon's names."""

OBJECT_FIRST: Final = {
    "adheres to": ("{o}, a tradition with a long history, has followers all over the world. One notable follower "
                   "is {s}.",
                   "{o} has gained a large following. Among those affiliated with this religion is {s}."),
    "sport played": ("{o}, a sport that is played around the world, has a strong connection with {s}.",
                     "{o} has grown in popularity, thanks in part to {s}."),
    "musical genre": ("{o} is a style of music that has won many admirers. One of its best-known artists is {s}.",),
    "educated at": ("{o}, which has a rich history, has produced many notable alumni, including {s}.",
                    "{o} is one of the oldest of its kind. Among its alumni is {s}."),
    "works for": ("{o}, with its diverse staff, employs {s}.", "{o} has many members of note. Among them is {s}."),
    "nationality": ("{o}, a country with a rich history, is home to many notable individuals, including {s}.",),
    "born in": ("{o}, known for its rich history, is the birthplace of {s}.", "{o} is the city in which {s} was born."),
    "country of origin": ("{o}, a country known for its culture, is the birthplace of {s}.",
                          "Originating in {o}, {s} is known all over the world."),
    "original network": ("{o}, one of the best-known networks, has broadcast many shows. Among these is {s}.",),
    "official language": ("{o}, the official language of {s}, has a rich history.",),
    "founded by": ("{o}, a person of many talents, is also the founder of {s}.",),
    "creator of character": ("{o}, who has many successes to look back on, is also the creator of {s}.",),
    "directed by": ("{o}, a filmmaker with a style like no other, directed {s}.",),
    "written by": ("{o}, a writer of great skill, is best known for writing {s}.",),
    "game developer": ("{o}, known for many innovations, developed {s}.",),
}  # fmt: skip
"""Openings that name the object before the subject."""

NOTES: Final = {
    "religion": (("a tradition founded by {o} many centuries ago", "founded by"),
                 ("one of the oldest in the world", ""),
                 ("which emphasises moral values, social justice and respect for others", "")),
    "country": (("a country in {o}", "continent"), ("a country that is known for its rich history", ""),
                ("whose capital is {o}", "capital"), ("where {o} is the official language", "official language")),
    "sport": (("a sport that is played all over the world", ""), ("which has gained popularity in recent years", "")),
    "genre": (("a style that emerged in the sixties", ""), ("a style that originated in {o}", "country of origin")),
    "language": (("one of the most widely spoken languages in the world", ""),
                 ("in addition to the mother tongue", "")),
    "company": (("a company based in {o}", "headquarters"), ("founded in {o}", "founding year")),
    "": (("among others", ""), ("much to the delight of many", ""), ("which came as no surprise", "")),
}  # fmt: skip
"""What may be added about an object at a sentence's end, by its type, with the relation of a ``{o}`` in it."""

BEGINNINGS: Final = {
    "person": (
        ("Born in {o}, {s} grew up in a large family.", "date of birth"),
        ("Born on {o}, {s} showed an early talent.", "date of birth"),
        ("{s} was born in {o} and began working at a young age.", "date of birth"),
        ("Born in {o}, {s} had a successful career.", "date of birth"),
        ("{s} was born in {o}.", "born in"),
        ("Born in {o}, {s} moved abroad as a child.", "born in"),
        ("{s} passed away in {o}, leaving a lasting legacy.", "date of death"),
    ),
    "work": (
        ("First released in {o}, {s} quickly gained a following.", "release year"),
        ("{s} came out in {o} to great acclaim.", "release year"),
        ("{s}, which premiered in {o}, has been praised by critics.", "release year"),
    ),
    "thing": (
        ("Founded in {o}, {s} has become a well-known name.", "founding year"),
        ("{s} was founded in {o}.", "founding year"),
        ("With a history dating back to {o}, {s} has a loyal following.", "founding year"),
    ),
}  # fmt: skip
"""When things began, by group, with the relation."""

FAITHS: Final = dict(pair.split("/") for pair in (
    "Methodism/Methodist Buddhism/Buddhist Confucianism/Confucian Catholicism/Catholic Islam/Islamic Judaism/Jewish "
    "Hinduism/Hindu Lutheranism/Lutheran Anglicanism/Anglican Calvinism/Calvinist Taoism/Taoist Sikhism/Sikh "
    "Jainism/Jain Presbyterianism/Presbyterian Mormonism/Mormon Quakerism/Quaker Zoroastrianism/Zoroastrian "
    "Christianity/Christian Protestantism/Protestant Shinto/Shinto Animism/Animist Unitarianism/Unitarian "
    "Pentecostalism/Pentecostal Evangelicalism/Evangelical Adventism/Adventist Stoicism/Stoic Sufism/Sufi "
    "Deism/Deist Paganism/Pagan Puritanism/Puritan Congregationalism/Congregationalist"
).split())  # fmt: skip
"""Faiths with the adjectives that stand for them."""

POOLS: Final = {
    "religion": (*FAITHS, *FAITHS, "the Catholic Church", "the Church of England", "Sunni Islam", "Shia Islam",
        "Zen Buddhism", "Tibetan Buddhism", "Eastern Orthodoxy", "the Russian Orthodox Church", "the Baptist Church",
        "the Salvation Army", "Coptic Christianity", "Reform Judaism", "Theravada", "Vaishnavism"),
    "sport": tuple("football|association football|soccer|baseball|basketball|ice hockey|field hockey|rugby union|rugby"
        "|rugby league|cricket|tennis|volleyball|beach volleyball|golf|American football|Australian rules football"
        "|handball|water polo|boxing|wrestling|sumo|cycling|swimming|diving|rowing|sailing|table tennis|badminton"
        "|squash|lacrosse|judo|karate|taekwondo|fencing|archery|chess|snooker|darts|bowling|curling|figure skating"
        "|speed skating|roller derby|roller hockey|skateboarding|snowboarding|alpine skiing|ski jumping|biathlon"
        "|gymnastics|weightlifting|triathlon|athletics|polo|softball|netball|surfing|kickboxing|mixed martial arts"
        "|motor racing|Formula One|esports|poker".split("|")),
    "position": tuple("goalkeeper|striker|defender|midfielder|forward|winger|full-back|centre-back|sweeper|point guard"
        "|shooting guard|small forward|power forward|center|quarterback|running back|wide receiver|tight end|linebacker"
        "|defensive end|defensive tackle|cornerback|safety|punter|placekicker|pitcher|catcher|first baseman|shortstop"
        "|second baseman|third baseman|left fielder|right fielder|center fielder|outfielder|designated hitter|fly-half"
        "|scrum-half|hooker|prop|lock|goaltender|defenceman|libero|setter|bowler|batsman|wicket-keeper".split("|")),
    "occupation": tuple("writer|lawyer|actor|singer|teacher|politician|painter|journalist|physicist|engineer|nurse"
        "|film director|composer|chef|economist|carpenter|novelist|choreographer|photographer|activist|screenwriter"
        "|judge|surgeon|translator|librarian|diplomat|football player|basketball player|racing driver".split("|")),
    "genre": tuple("jazz|free jazz|rock music|punk rock|post-punk|garage rock|progressive rock|indie rock|hard rock"
        "|heavy metal|death metal|science fiction|crime fiction|hip hop|hip hop music|rap|trap|folk music|folk rock"
        "|romantic comedy|fantasy|horror|drama|country music|bluegrass|opera|operetta|soul|blues|rhythm and blues"
        "|gospel|funk|disco|techno|house music|electronic music|ambient music|trance|reggae|ska|dub|calypso|salsa"
        "|samba|bossa nova|tango|flamenco|fado|chanson|pop music|K-pop|synth-pop|new wave|grunge|krautrock|swing"
        "|bebop|ragtime|chamber music|choral music|film score|thriller|historical fiction|Gothic|Baroque|film noir"
        "|satire|western|martial arts film|musical|melodrama|game show|sitcom|documentary".split("|")),
    "language": tuple("English French German Spanish Italian Portuguese Russian Mandarin Japanese Arabic Hindi Bengali "
        "Tamil Dutch Swedish Danish Norwegian Finnish Polish Czech Slovak Hungarian Romanian Greek Turkish Hebrew "
        "Persian Korean Vietnamese Thai Malay Swahili Latin Welsh Irish Catalan Basque Ukrainian Croatian Serbian "
        "Bulgarian Icelandic Estonian Latvian Lithuanian Esperanto Yiddish Urdu".split()),
    "field": tuple("economics|psychology|theology|philosophy|mathematics|physics|chemistry|biology|genetics|astronomy"
        "|linguistics|history|archaeology|anthropology|sociology|medicine|surgery|botany|geology|architecture|law"
        "|computer science|artificial intelligence|robotics|journalism|photography|fashion|banking|insurance|shipping"
        "|aviation|telecommunications|video games|publishing|agriculture|mining|tourism|film|television|education"
        "|public health|human rights|neuroscience|statistics|cryptography|civil engineering".split("|")),
    "country": tuple("France|Germany|Italy|Spain|Portugal|Norway|Sweden|Denmark|Finland|Poland|Hungary|Romania|Greece"
        "|Turkey|Egypt|Israel|Iran|Iraq|India|Pakistan|China|Japan|South Korea|Vietnam|Thailand|Indonesia|Malaysia"
        "|the Philippines|Australia|New Zealand|Canada|the United States|the United States of America|Mexico|Cuba"
        "|Brazil|Argentina|Chile|Peru|Colombia|Venezuela|Nigeria|Kenya|Ghana|South Africa|Ethiopia|Morocco|Algeria"
        "|Russia|Ukraine|Belarus|the Czech Republic|Slovakia|Austria|Switzerland|Belgium|the Netherlands|Ireland"
        "|the United Kingdom|Great Britain|Scotland|Wales|England|Iceland|Estonia|Serbia|Bulgaria|Croatia".split("|")),
    "region": ("Europe", "Asia", "Africa", "North America", "South America", "Oceania", "Antarctica"),
}  # fmt: skip
"""Names by type, beside those of the data sets: things without a name of their own, and countries."""
