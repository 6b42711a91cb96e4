"""The words of gift shop listings: colours, sizes, materials, styles, and the family of each head noun.

Plain tables for `copybandit.sim.descriptions` and `copybandit.sim.spelling`; to teach them a shop, add words
here.
"""

from __future__ import annotations

COLOURS = frozenset(
    "amber amethyst aqua beige black blue bronze brown burgundy charcoal copper coral cream crystal "
    "fuschia gold green grey ivory lilac lime mauve mint multicolour navy olive orange peach pink purple "
    "red rose ruby silver teal turquoise white yellow".split()
)
"""Colours; products whose colours differ are different products."""

SIZES = frozenset(
    "big double giant jumbo large medium mini short single small tall thin tiny triple wide xl l m s".split()
)
"""Sizes; the same holds."""

MATERIALS = frozenset(
    "acrylic bakelike bamboo canvas ceramic china cotton crochet enamel fabric feather felt foil glass "
    "iron jute knitted lace leather linen marble metal paper pearl plastic polyester porcelain raffia "
    "rubber silk slate steel stone velvet wicker wire wood wooden woolly zinc".split()
)
"""What a thing is made of."""

STYLES = frozenset(
    "alphabet antique babushka baroque beaded birthday bohemian botanical butterfly charlotte children's "
    "childrens circus classic colourful daisy danish decorative diner dinosaur dotty easter edwardian "
    "embroidered empire enchanted english fairy feltcraft filigree floral foldable folding folkart french "
    "frutti funky gingham glitter handmade hanging heart hearts honeycomb jewelled kids kitsch lavender "
    "london lovebird magic moroccan natural nordic oval owl painted paisley pantry parisienne party "
    "polkadot poppy recycled regency retro retrospot round rustic scandinavian scented scottie skull "
    "skulls spaceboy spot spotty square star strawberry stripe striped stripey suki sweetheart toadstool "
    "traditional tutti union vanilla victorian vintage woodland".split()
)
"""Patterns, styles and occasions."""

PHRASES = ("union jack", "union flag", "dolly girl", "magic garden", "tutti frutti", "charlie and lola")
"""Styles of two words or more."""

ABBREVIATIONS = {
    "asstd": "assorted",
    "asst": "assorted",
    "ass": "assorted",
    "col": "colour",
    "cols": "colours",
    "des": "design",
    "choc": "chocolate",
    "xmas": "christmas",
    "childs": "child's",
    "childrens": "children's",
    "p'weight": "paperweight",
    "turq": "turquoise",
    "w": "with",
    "&": "and",
    "+": "and",
}
"""What the shop writes for short -> the word; copy must not say the short form."""

CATEGORIES: dict[str, str] = {
    "christmas": "christmas xmas santa reindeer advent nativity snowman",
    "bag": "bag bags shopper purse wallet backpack handbag tote holdall luggage",
    "mug & cup": "mug mugs cup cups beaker beakers tumbler teacup saucer goblet",
    "candle & light": (
        "candle candles t-light t-lights light lights lantern lamp incense votive nightlight oil burner "
        "candlestick candleholder"
    ),
    "card & wrap": (
        "card cards wrap wraps tissue tissues tag tags ribbon ribbons envelope envelopes tape sticker "
        "stickers notebook pencil pencils pen pens sketchbook journal calendar stationery eraser rubber "
        "invites chalk chalkboard ruler stamp stamps paper gift notebooks notepad postcard erasers book "
        "books writing origami"
    ),
    "kitchen": (
        "bowl plate plates cake cakes tin tins jar jars bottle teapot jug tray cutlery apron tea coffee "
        "baking mould cases dish pan pot lunch egg milk bread sugar biscuit spoon spoons glass glasses "
        "napkin napkins doilies doily coaster coasters rack kitchen oven cutter cutters straws snack "
        "cakestand fridge magnets jam toast butter whisk scales flask popcorn sundae matches grinder cover "
        "recipe moulds trays placemat placemats pastry colander chopping chopsticks teaspoons bottles magnet "
        "rolling pepper corer washing"
    ),
    "garden": (
        "garden plant herb watering trellis parasol birdhouse seed seeds bulbs gloves grow planter feeder "
        "thermometer flowerpot windmill chime picnic hammock spade twine wheelbarrow"
    ),
    "jewellery": (
        "necklace bracelet earrings ring bangle brooch jewellery charm hair diamante keyring keyrings comb "
        "tiara"
    ),
    "toys": (
        "toy toys doll dolls game jigsaw puzzle playhouse skipping rocket balloon balloons yoyo crayons "
        "colouring craft knitting sewing spinning skittles marbles robot playing blocks dominoes harmonica "
        "plasters feltcraft soldier clay ludo bear bingo glider gliders paint tattoos puppet screwdriver "
        "rocking"
    ),
    "storage": (
        "box boxes drawer cabinet basket hanger hook hooks storage organiser tidy chest shelf holder case "
        "cupboard rack peg pegs bin bucket money crates bank cabinets suitcase"
    ),
    "textile": (
        "cushion towel towels rug quilt throw doormat mat scarf blanket slipper slippers socks hottie pad "
        "umbrella cosy warmer flannel fabric tablecloth hot bunting apron cloth filler"
    ),
    "sign & decoration": (
        "sign decoration decorations clock frame mirror garland wreath art doorstop ornament block bell "
        "bells knob knobs heart hearts bird birds flower flowers star wall picture angel mobile ball letter "
        "letters tile statue rabbit bunny tree photo door plaque trinket fan alarm finial memo frames "
        "butterfly bauble baubles ducks paperweight pennant"
    ),
}
"""Family -> head nouns; a word in two families belongs to the first."""

PHRASE_CATEGORIES = {
    "hot water bottle": "textile",
    "t-light holder": "candle & light",
    "candle holder": "candle & light",
    "gift bag": "bag",
    "metal sign": "sign & decoration",
    "wall art": "sign & decoration",
}
"""Head nouns of several words -> family; they win over single words."""

NOUN_FIRST = frozenset("wrap card doormat paperweight tumbler doorstop plasters bunting".split())
"""Nouns that this shop writes before what describes them: ``WRAP CAROUSEL``."""

OTHER = "other"
"""Family of a product whose head noun is in no table."""
