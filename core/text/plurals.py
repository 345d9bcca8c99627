"""Singular and plural of English nouns, for words that no dictionary lists as well.

The forms of a name are written out; captions are not reduced to lemmas. So a name can never meet another word:
``lighter`` has the forms ``lighter`` and ``lighters``, and ``light`` is neither.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from core.text.folding import POSSESSIVE


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IRREGULAR: dict[str, tuple[str, ...]] = {
    "goose": ("geese",), "mouse": ("mice",), "louse": ("lice",), "woodlouse": ("woodlice",), "foot": ("feet",),
    "tooth": ("teeth",), "ox": ("oxen",), "muskox": ("muskoxen",), "child": ("children",),
    "person": ("people", "persons"), "penny": ("pennies", "pence"), "passerby": ("passersby",), "die": ("dice",),
    "quiz": ("quizzes",), "fez": ("fezzes",), "bus": ("buses", "busses"), "axe": ("axes",), "ax": ("axes",),
    "axis": ("axes",), "opus": ("opuses",), "genus": ("genera",), "corpus": ("corpora",), "medium": ("mediums",),
    "cherub": ("cherubs", "cherubim"), "seraph": ("seraphs", "seraphim"), "kibbutz": ("kibbutzim",),
    "paparazzo": ("paparazzi",), "graffito": ("graffiti",), "panino": ("panini",), "phenomenon": ("phenomena",),
    "criterion": ("criteria",), "automaton": ("automatons", "automata"), "ganglion": ("ganglia",),
    "mitochondrion": ("mitochondria",), "datum": ("data",), "chrysalis": ("chrysalises", "chrysalides"),
    "iris": ("irises",), "octopus": ("octopuses", "octopi", "octopodes"), "staff": ("staffs", "staves"),
    "wharf": ("wharves", "wharfs"), "chili": ("chilis", "chilies"), "topaz": ("topazes",),
}  # fmt: skip
_COMPOUNDS = ("tooth", "foot", "child", "person", "mouse")
"""Irregular nouns that also end others (``dormouse``, ``grandchild``)."""
_IN_CONTEXT = {"dice": ("a die", "one die")}
"""Forms that are another word as well (``he will die``) count behind an article or number only."""
_FORMLESS = _listed(
    "gps cattle police swine series species chassis corps headquarters crossroads barracks gallows malinois chamois"
    " news glasses spectacles shorts briefs tights slacks overalls goods customs arms clothes pants jeans thanks means"
    " stairs outdoors indoors mathematics maths physics electronics athletics gymnastics aerobics politics economics"
    " linguistics acoustics optics robotics genetics mechanics graphics hydraulics ballistics aesthetics billiards"
    " checkers draughts measles mumps molasses bellows always perhaps yes mars james charles wales texas kansas"
    " arkansas dallas vegas athens brussels naples netherlands paris davis louis elvis memphis dennis lewis"
)
"""Words with one form: same in singular and plural, plural only, or with a singular that is another word (shorts)."""
_SINGULAR_IN_S = _listed(
    "lens gas canvas atlas christmas bias alias pancreas sassafras pampas rhinoceros thermos cosmos chaos asbestos"
    " pathos ethos lotos hercules diabetes herpes rabies iris tennis clematis amaryllis chrysalis pelvis trellis"
    " cannabis portcullis ibis mantis debris chablis marquis coreopsis adonis orchis glottis ambergris verdigris"
    " epidermis testis penis dais aegis caddis hubris lychnis arabis physalis digitalis metropolis necropolis"
    " acropolis harris morris anubis bass"
)
_SIS = _listed(
    "oasis crisis analysis thesis hypothesis diagnosis parenthesis synopsis metamorphosis ellipsis neurosis prosthesis"
)
_US_TO_I = _listed(
    "cactus fungus hippopotamus platypus nucleus alumnus stimulus radius narcissus crocus focus locus bacillus"
    " terminus syllabus magus thesaurus uterus papyrus hibiscus gladiolus eucalyptus cumulus abacus rhombus torus"
    " tumulus calculus bronchus sarcophagus colossus discus incubus humerus tarsus streptococcus coccus alveolus"
    " meniscus nautilus lotus campus colobus"
)
_A_TO_AE = _listed(
    "alga larva antenna nebula formula vertebra amoeba nova supernova pupa alumna lamina medusa cicada persona fibula"
    " patella papilla lacuna exuvia"
)
_UM_TO_A = _listed(
    "bacterium aquarium terrarium planetarium herbarium stadium podium spectrum ovum stratum curriculum memorandum"
    " sporangium candelabrum referendum millennium plectrum rostrum cilium arboretum auditorium sanatorium emporium"
)
_X_TO_ICES = _listed("matrix appendix helix cicatrix vertex index vortex codex apex cortex")
_F_TO_VES = ("leaf", "loaf", "thief", "sheaf", "wolf", "calf", "half", "elf", "scarf", "dwarf", "hoof")
_FE_TO_VES = ("knife", "wife", "life")
_FS_TOO = ("scarf", "dwarf", "hoof", "life", "loaf")
_CH_TO_CHS = ("stomach", "arch", "tych", "loch", "eunuch", "epoch", "conch", "tech")
_MEN = _listed("specimen ramen abdomen omen yemen semen stamen regimen acumen bitumen lumen hymen cyclamen amen")
"""Singular words in ``-men``; the words below are told by their ending as well."""
_IN_MAN = _listed("human german roman norman ottoman talisman shaman caiman cayman brahman mussulman")
_IN_U = _listed("emu gnu menu guru tutu zebu haiku caribou bayou marabou kudu cockatu kinkajou manitou tiramisu coypu")
_IN_OE = _listed(
    "shoe horseshoe snowshoe overshoe toe tiptoe mistletoe canoe hoe backhoe foe oboe roe floe aloe sloe throe"
)
_IN_IE = _listed(
    "cookie movie pie tie magpie necktie bowtie zombie brownie calorie collie genie hoodie hippie pinkie pixie"
    " prairie rookie selfie smoothie budgie birdie boogie talkie yorkie aussie barbie beanie bookie cowrie eyrie"
    " foodie freebie goalie groupie hankie hoagie junkie kelpie laddie lassie lie menagerie patisserie quickie"
    " rotisserie brasserie reverie sweetie veggie walkie weenie yuppie auntie caddie doggie westie nixie dixie"
)
_IN_CHE = _listed(
    "cache ache headache avalanche creche moustache mustache quiche brioche niche pastiche psyche porsche cliche"
)
_IN_USE = _listed("use muse fuse ruse excuse recluse refuse abuse hypotenuse")
_IN_SSE = _listed("mousse crevasse posse fosse impasse")
_NEVER = _listed(
    "a an as is us was has his its this thus does dies less ours hers theirs to so no go he we me be in on of or at"
    " by it if do the then them these those been were have had will would can could may do"
)
"""Words so common that no noun may claim them as its form (doe, die, wa)."""
_BEFORE_MODIFIER = _listed("of in on with at for from")
_INITIALS = re.compile(r"[^aeiou]{3}")
_LATIN_END = re.compile(r"[a-z0-9]$")


@lru_cache(maxsize=1 << 16)
def forms(word: str) -> tuple[str, ...]:
    """A folded word with its singular and plurals, itself first; a form of two words is one that needs its context.

    A word that does not end in a Latin letter or a digit has no other form.
    """
    if not _LATIN_END.search(word) or word in _FORMLESS:
        return (word,)
    singulars = () if word in _IN_CONTEXT else _singulars(word)
    plurals = [plural for one in singulars or (word,) for plural in _plurals(one)] if word not in _IN_CONTEXT else ()
    found = (word, *singulars, *plurals, *_IN_CONTEXT.get(word, ()))
    return tuple(dict.fromkeys(form for form in found if form == word or form not in _NEVER))


def name_forms(words: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The ways in which a name is written, each as folded words, itself first; none for a name without words.

    Singular and plural of its last word, and of the noun before ``of`` and the like (``coats of arms``); an ``'s``
    inside also without its apostrophe, and the other way round (``Bairds Sandpiper``, ``Baird's Sandpiper``).
    """
    if not words:
        return ()
    found = [tuple(words)]
    if words[-1] != POSSESSIVE:  # of a name like ``Levi's`` the word before it is another name
        last = len(words) - 1
        heads = [at - 1 for at, word in enumerate(words) if word in _BEFORE_MODIFIER and 0 < at < last][:1]
        for at in (*heads, last):
            other = [form.split(" ") for form in forms(words[at])[1:]]
            found += [(*one[:at], *form, *one[at + 1 :]) for form in other for one in found[: len(found)]]
    return tuple(dict.fromkeys([*found, *(other for one in found for other in _respelled(one))]))


def _respelled(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    found = []
    for at, word in enumerate(words[:-1]):
        before, after = words[:at], words[at + 1 :]
        if after[0] == POSSESSIVE:
            found += [(*before, f"{word}s", *after[1:])] if len(after) > 1 else []
        elif word.endswith("s") and word.isalpha() and (_singulars(word) or word[:-1] in _SINGULAR_IN_S):
            found.append((*before, word[:-1], POSSESSIVE, *after))
    return found


def _plurals(word: str) -> tuple[str, ...]:
    """Plurals of a singular; several where usage differs."""
    if len(word) == 1:
        return (f"{word}s",)
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if ending := next((ending for ending in _COMPOUNDS if word.endswith(ending)), ""):
        return tuple(word[: -len(ending)] + plural for plural in _IRREGULAR[ending])
    if word.endswith("man") and word not in _IN_MAN:
        return (f"{word[:-2]}en", f"{word}s") if len(word) > 4 else (f"{word[:-2]}en",)
    if word.endswith(_F_TO_VES):
        return (f"{word[:-1]}ves", *([f"{word}s"] if word.endswith(_FS_TOO) else []))
    if word.endswith(_FE_TO_VES):
        return (f"{word[:-2]}ves", *([f"{word}s"] if word.endswith(_FS_TOO) else []))
    if word.endswith("y") and len(word) > 2 and (word[-2] not in "aeou" or word.endswith("quy")):
        return (f"{word[:-1]}ies", f"{word}s")
    if word.endswith("sis"):
        return (f"{word[:-2]}es",)
    if word.endswith("us") and not word.endswith("ous") and len(word) > 4:
        return (f"{word}es", f"{word[:-2]}i")
    if word in _X_TO_ICES:
        return (f"{word}es", f"{word[:-2]}ices")
    if word.endswith(_CH_TO_CHS):
        return (f"{word}s", f"{word}es")
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return (f"{word}es",)
    if word.endswith("o"):
        return (f"{word}s", f"{word}es")
    if word in _A_TO_AE:
        return (f"{word}s", f"{word}e")
    if word in _UM_TO_A or word.endswith("hedron"):
        return (f"{word}s", f"{word[:-2]}a")
    return (f"{word}s", f"{word}x") if word.endswith("eau") else (f"{word}s",)


def _singulars(word: str) -> tuple[str, ...]:
    """Singulars of a word that is a plural; none for one that is none."""
    if word in _SINGULAR_OF:
        return _SINGULAR_OF[word]
    if word in _SINGULAR_IN_S or word in _FORMLESS or word in _IRREGULAR:
        return ()
    for plural, singular in _COMPOUND_PLURALS:
        if word.endswith(plural):
            return (word[: -len(plural)] + singular,)
    if word.endswith("men") and word not in _MEN:
        return (f"{word[:-3]}man",)
    if word.endswith(("eaux", "hedra")):
        return (word[:-1] if word.endswith("x") else f"{word[:-1]}on",)
    if not word.endswith("s") or word.endswith(("ss", "sis", "itis")):
        return ()
    if len(word) < 4 and not _INITIALS.fullmatch(word):  # "tvs" is a plural, "gas" is none
        return ()
    if word.endswith(("us", "is")):
        # Most words in -us are singular (walrus), most in -is that are not listed are plural (salukis).
        return (word[:-1],) if word.endswith("is") or word[:-1] in _IN_U else ()
    return (_without_es(word) if word.endswith("es") else word[:-1],)


def _without_es(word: str) -> str:
    """The singular of a plural in ``-es``: does it end in ``e`` or not?"""
    stem, bare = word[:-1], word[:-2]
    if word.endswith(tuple(f"{ending[:-2]}ves" for ending in _FE_TO_VES)) and not word.endswith("olives"):
        return f"{word[:-3]}fe"
    if word.endswith(tuple(f"{ending[:-1]}ves" for ending in _F_TO_VES)):
        return f"{word[:-3]}f"
    if word.endswith("ies"):
        return stem if stem in _IN_IE or len(word) < 5 else f"{word[:-3]}y"
    if word.endswith("oes"):
        return stem if stem in _IN_OE else bare
    if word.endswith("ches"):
        return stem if stem in _IN_CHE else bare
    if word.endswith("sses"):
        return stem if stem in _IN_SSE else bare
    if word.endswith("uses"):
        return stem if stem in _IN_USE or stem.endswith(("ouse", "ause")) else bare
    if word.endswith("zes"):
        return bare if word.endswith(("tzes", "zzes", "szes")) else stem
    return bare if word.endswith(("shes", "xes")) or bare in _SINGULAR_IN_S else stem


def _inverse() -> dict[str, tuple[str, ...]]:
    """Plural -> singulars, for the nouns whose plural tells no rule."""
    latin = sorted(_SIS | _US_TO_I | _A_TO_AE | _UM_TO_A | _X_TO_ICES)
    found: dict[str, list[str]] = {}
    for singular in (*_IRREGULAR, *latin):
        for plural in _plurals(singular):
            found.setdefault(plural, []).append(singular)
    return {plural: tuple(dict.fromkeys(singulars)) for plural, singulars in found.items()}


_COMPOUND_PLURALS = tuple((plural, singular) for singular in _COMPOUNDS for plural in _IRREGULAR[singular])
_SINGULAR_OF = _inverse()
