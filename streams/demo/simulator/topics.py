"""The vocabulary that the simulator makes items of: topics that exist on every platform.

The same topic has other items, other words and another category on each platform: somebody
into camping watches camping videos, buys tents and reads outdoors news. That is the
correspondence that a migrated interest has to find.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PLATFORMS: Final = ("video", "shop", "news")


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing that people can be interested in.

    Attributes:
        name: the activity in one or two words.
        categories: what video, shop and news call it, in that order.
        things: nouns that belong to it, each with its plural.
        place: where it happens, for headlines.
    """

    name: str
    categories: tuple[str, str, str]
    things: tuple[tuple[str, str], ...]
    place: str


def _topic(name: str, categories: str, things: str, place: str) -> Topic:
    video, shop, news = categories.split("|")
    nouns = [thing.partition("/") for thing in things.split(", ")]
    pairs = tuple((one, many or f"{one}s") for one, _, many in nouns)
    return Topic(name, (video, shop, news), pairs, place)


TOPICS: Final = (
    _topic("camping", "Outdoor life|Tents and outdoor gear|Outdoors",
           "tent, sleeping bag, camping stove, headlamp, hammock, water filter, tarp, "
           "camp chair", "campsite"),
    _topic("home cooking", "Kitchen|Cookware|Food",
           "chef's knife/chef's knives, cast-iron pan, wok, stockpot, pressure cooker, "
           "cutting board, mandoline, spice rack", "kitchen"),
    _topic("road cycling", "Two wheels|Bikes and parts|Cycling",
           "road bike, carbon wheel, bike helmet, power meter, saddle, cycling jersey, "
           "floor pump, bike computer", "velodrome"),
    _topic("photography", "Photo school|Cameras and lenses|Arts and culture",
           "mirrorless camera, prime lens/prime lenses, tripod, camera bag, flash/flashes, "
           "film camera, lens filter, darkroom kit", "photo gallery"),
    _topic("gardening", "Green thumbs|Garden|Home and garden",
           "raised bed, greenhouse, pruning saw, compost bin, watering can, seed tray, "
           "rose bush/rose bushes, trellis/trellises", "botanical garden"),
    _topic("PC gaming", "Let's play|Computers|Technology",
           "graphics card, gaming mouse/gaming mice, mechanical keyboard, racing wheel, "
           "gaming monitor, headset, game controller, gaming laptop", "e-sports arena"),
    _topic("running", "Run club|Running shoes and wear|Sport",
           "running shoe, GPS watch/GPS watches, hydration vest, foam roller, race bib belt, "
           "trail shoe, rain shell, heart-rate strap", "city marathon course"),
    _topic("guitar", "Music lessons|Instruments|Music",
           "electric guitar, acoustic guitar, tube amp, effects pedal, capo, guitar stand, "
           "string set, bass guitar", "concert hall"),
    _topic("specialty coffee", "Barista channel|Coffee and tea|Food and drink",
           "espresso machine, burr grinder, pour-over kettle, French press/French presses, "
           "moka pot, coffee scale, milk frother, coffee roaster", "coffee roastery"),
    _topic("woodworking", "Makers|Tools|Home and design",
           "table saw, hand plane, workbench/workbenches, chisel, router table, wood lathe, "
           "band saw, clamp", "community workshop"),
    _topic("astronomy", "Night sky|Optics|Science",
           "telescope, star chart, eyepiece, equatorial mount, solar filter, astro camera, "
           "pair of binoculars/binoculars, red torch/red torches", "observatory"),
    _topic("yoga", "Mind and body|Yoga and fitness|Health",
           "yoga mat, yoga block, meditation cushion, yoga strap, bolster, yoga wheel, "
           "balance board, resistance band", "yoga studio"),
    _topic("fly fishing", "On the river|Fishing|Nature",
           "fly rod, fly reel, pair of waders/waders, landing net, fly box/fly boxes, "
           "fishing vest, float tube, tippet spool", "trout river"),
    _topic("dog training", "Pets|Pet supplies|Animals",
           "dog harness/dog harnesses, clicker, dog bed, training lead, puzzle feeder, "
           "dog crate, treat pouch/treat pouches, chew toy", "dog park"),
    _topic("knitting", "Handmade|Yarn and crafts|Lifestyle",
           "knitting needle, merino skein, stitch marker, yarn bowl, sock pattern, "
           "cardigan kit, swift and winder, blocking mat", "craft fair"),
    _topic("chess", "Chess club|Board games|Chess and games",
           "chess set, chess clock, opening book, endgame book, chess board, score book, "
           "chess computer, travel chess set", "chess olympiad"),
    _topic("home baking", "Bread and cakes|Baking|Recipes",
           "stand mixer, Dutch oven, proofing basket, loaf tin, rolling pin, baking steel, "
           "cake stand, sourdough starter", "village bakery"),
    _topic("electric cars", "Auto tests|Car accessories|Mobility",
           "wall charger, charging cable, electric hatchback, roof box/roof boxes, "
           "winter tyre, dash cam, home battery/home batteries, electric van",
           "charging park"),
    _topic("skiing", "Snow|Winter sports|Winter sport",
           "touring ski, ski boot, ski helmet, avalanche beacon, snowboard, ski jacket, "
           "pair of goggles/goggles, ski pole", "ski resort"),
    _topic("smart home", "Tech how-to|Home automation|Consumer tech",
           "smart thermostat, robot vacuum, smart lock, video doorbell, light strip, "
           "home hub, motion sensor, smart plug", "model apartment"),
)  # fmt: skip

TITLES: Final[dict[str, tuple[str, ...]]] = {
    "video": (
        "How to choose your first {thing}",
        "I tested five {things} for a year",
        "{Topic} mistakes that beginners make: the {thing}",
        "Cheap or dear? {Things} compared",
        "{Things} explained in ten minutes",
        "A day of {topic} with nothing but one {thing}",
        "Repairing an old {thing}",
        "What the pros know about {things}",
    ),
    "shop": (
        "Compact {thing} for travel",
        "Professional {thing}",
        "{Thing}, starter edition",
        "{Thing} with 5-year warranty",
        "Refurbished {thing}",
        "Handmade {thing}",
        "{Things}, family pack",
        "{Thing} for {topic}, black",
    ),
    "news": (
        "Demand for {things} rises as more people take up {topic}",
        "The {place} where every visitor brings {a_thing}",
        "Prices of {things} fall for the third year",
        "Study: a good {thing} matters less than practice",
        "Maker of {things} to open a factory",
        "How {topic} saved a small town, one {thing} at a time",
        "Safety recall: {things} sold since spring",
        "Stolen {thing} returns to the {place} after ten years",
    ),
}
