"""The names, ISO 4217 codes and signs of the world's currencies, and the units that are measured in, as data.

Codes that are English words, or names of other things that stand at a number (``TOP 10``, ``COP 28``), are left out.
"""

from __future__ import annotations

# One currency a line: its name, its codes and signs, other words for it. Rupees, francs, crowns and the like are told apart by
# their name alone, since articles seldom say whose they are; of dollars and pounds the countries that are often named.
_CURRENCIES = """
dollar             | USD $ US$ | dollars buck bucks greenback greenbacks
australian dollar  | AUD A$ AU$
canadian dollar    | CAD C$ CA$
hong kong dollar   | HKD HK$
new zealand dollar | NZD NZ$
singapore dollar   | SGD S$
taiwan dollar      | TWD NT$
euro               | EUR € | euros
pound              | GBP £ | pounds quid sterling
egyptian pound     | EGP E£
lebanese pound     | LBP
syrian pound       | SYP
sudanese pound     | SSP
yen                | JPY ¥ JP¥
yuan               | CNY RMB CN¥ | renminbi
rupee              | INR PKR LKR NPR MUR SCR Rs Rs. Re. ₹ ₨ | rupees
won                | KRW KPW ₩
franc              | CHF XOF XAF XPF CDF RWF BIF DJF GNF KMF | francs
krone              | DKK NOK SEK ISK | kroner krona kronor kronur króna krónur kronas
koruna             | CZK | korunas koruny korun
zloty              | PLN zł | zlotys złoty zlote złotych
forint             | HUF | forints
leu                | MDL | lei
lev                | BGN | leva
dinar              | RSD KWD BHD IQD JOD LYD DZD TND MKD | dinars
dirham             | AED | dirhams
riyal              | SAR QAR OMR YER | riyals rial rials
shekel             | ILS ₪ | shekels
lira               | TRL ₺ | liras lire
ruble              | RUB BYN ₽ | rubles rouble roubles
hryvnia            | UAH ₴ | hryvnias hryvnya hryvnyas
lari               | ₾ | laris
dram               |
manat              | AZN TMT | manats
tenge              | KZT ₸
som                | KGS UZS | soms
somoni             | TJS
afghani            | AFN ؋ | afghanis
taka               | BDT ৳ | takas
rufiyaa            | MVR
ngultrum           | BTN
kyat               | MMK | kyats
baht               | THB ฿ | bahts
kip                | ₭
riel               | KHR | riels
dong               | VND ₫
rupiah             | IDR Rp | rupiahs
ringgit            | MYR RM | ringgits
peso               | MXN PHP ARS CLP DOP UYU Mex$ ₱ | pesos
real               | BRL R$ | reais
sol                | | soles
boliviano          | | bolivianos
bolivar            | VES VEF | bolivars bolivares bolívares
guarani            | PYG | guaranies guaraníes
quetzal            | GTQ | quetzals quetzales
lempira            | HNL | lempiras
cordoba            | | cordobas córdobas
colon              | CRC | colones
balboa             | PAB | balboas
gourde             | HTG | gourdes
rand               | ZAR | rands
naira              | NGN ₦ | nairas
cedi               | GHS GH₵ ₵ | cedis
shilling           | KES UGX TZS Sh KSh | shillings
birr               | ETB | birrs
kwacha             | ZMW MWK | kwachas
kwanza             | AOA | kwanzas
metical            | MZN | meticals meticais
pula               | BWP
ariary             | MGA
dalasi             | GMD | dalasis
leone              | SLE SLL | leones
tugrik             | MNT ₮ | tugriks tögrög
cent               | ¢ | cents
penny              | | pence pennies
bitcoin            | BTC ₿ | bitcoins
"""
# These words mean other things too ("5 won medals"): they are money only where the number is as large as prices in them are.
DOUBTFUL = frozenset("won real sol soles som soms colon lei dong kip leone leones dram lek".split())
DOUBTFUL_BELOW = 1000

# One unit a line: its name, and the other ways to write it.
_UNITS = """
mile miles | kilometre kilometres kilometer kilometers km kms | metre metres meter meters | foot feet ft | inch inches
yard yards | centimetre centimetres centimeter centimeters cm | millimetre millimetres millimeter millimeters mm
acre acres | hectare hectares | tonne tonnes | ton tons | kilogram kilograms kilogramme kilogrammes kilo kilos kg
gram grams gramme grammes | litre litres liter liters | barrel barrels
kilowatt kilowatts kw | megawatt megawatts mw | gigawatt gigawatts gw
year years | month months | week weeks | day days | hour hours | minute minutes | second seconds
"""


def _read_currencies() -> tuple[frozenset[str], dict[str, str], dict[str, str]]:
    names: set[str] = set()
    words: dict[str, str] = {}
    signs: dict[str, str] = {}
    for line in _CURRENCIES.strip().splitlines():
        name, marks, *others = (part.strip() for part in line.split("|"))
        names.add(name)
        signs |= dict.fromkeys(marks.split(), name)
        words |= dict.fromkeys((name, *" ".join(others).split()), name)
    return frozenset(names), words, signs


# The currencies' names; the name to each lower-case word, and to each code and sign in its own capitals.
CURRENCIES, CURRENCY_WORDS, CURRENCY_SIGNS = _read_currencies()
UNIT_WORDS = {word: unit.split()[0] for line in _UNITS.split("\n") for unit in line.split("|") for word in unit.split()}
