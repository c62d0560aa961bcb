"""Countries, their people and languages, and some lands and cities whose people's name is not formed by rule, as data.

Each land with every word of its names and of its people's; plurals are left out, since their stem is the same. A word that two
lands share (``dominican``) stands with both.
"""

from __future__ import annotations

_LANDS = """
afghanistan afghan | albania albanian | algeria algerian | andorra andorran | angola angolan
antigua antiguan barbuda barbudan | argentina argentine argentinian | armenia armenian | australia australian aussie
austria austrian | azerbaijan azerbaijani azeri | bahamas bahamian | bahrain bahraini | bangladesh bangladeshi
barbados barbadian bajan | belarus belarusian belarussian | belgium belgian | belize belizean | benin beninese beninois
bhutan bhutanese | bolivia bolivian | bosnia bosnian bosniak | herzegovina herzegovinian
botswana botswanan motswana batswana | brazil brazilian brasil | brunei bruneian | bulgaria bulgarian
burkina burkinabe burkinabé | burundi burundian | cambodia cambodian khmer | cameroon cameroonian | canada canadian
verde verdean | chad chadian | chile chilean | china chinese | colombia colombian | comoros comorian | congo congolese
rica rican | croatia croatian croat | cuba cuban | cyprus cypriot | czechia czech | denmark danish dane
djibouti djiboutian | dominica dominican | timor timorese | ecuador ecuadorian ecuadorean | egypt egyptian
salvador salvadoran salvadorean salvadorian | eritrea eritrean | estonia estonian | eswatini swazi swaziland
ethiopia ethiopian | fiji fijian | finland finnish finn | france french frenchman frenchmen frenchwoman | gabon gabonese
gambia gambian | georgia georgian | germany german | ghana ghanaian | greece greek hellenic | grenada grenadian
guatemala guatemalan | guinea guinean | guyana guyanese | haiti haitian | honduras honduran | hungary hungarian magyar
iceland icelandic icelander | india indian | indonesia indonesian | iran iranian irani | iraq iraqi
ireland irish irishman irishmen | israel israeli | italy italian | ivorian ivoire | jamaica jamaican | japan japanese
jordan jordanian | kazakhstan kazakh kazakhstani | kenya kenyan | kiribati | korea korean | kosovo kosovar kosovan
kuwait kuwaiti | kyrgyzstan kyrgyz | laos laotian lao | latvia latvian | lebanon lebanese | lesotho basotho mosotho
liberia liberian | libya libyan | liechtenstein liechtensteiner | lithuania lithuanian
luxembourg luxembourger luxembourgish | madagascar malagasy | malawi malawian | malaysia malaysian | maldives maldivian
mali malian | malta maltese | mauritania mauritanian | mauritius mauritian | mexico mexican
micronesia micronesian | moldova moldovan | monaco monegasque monacan | mongolia mongolian mongol | montenegro montenegrin
morocco moroccan | mozambique mozambican | myanmar burma burmese | namibia namibian | nauru nauruan | nepal nepali nepalese
netherlands dutch holland dutchman dutchmen dutchwoman | zealand zealander | nicaragua nicaraguan | niger nigerien
nigeria nigerian | macedonia macedonian | norway norwegian | oman omani | pakistan pakistani | palau palauan
palestine palestinian | panama panamanian | papua papuan | paraguay paraguayan | peru peruvian
philippines philippine filipino filipina | poland polish pole | portugal portuguese | qatar qatari | romania romanian
russia russian | rwanda rwandan | samoa samoan | marino sammarinese | senegal senegalese | serbia serbian serb
seychelles seychellois | leone leonean | singapore singaporean | slovakia slovak slovakian | slovenia slovenian slovene
somalia somali somalian | sudan sudanese | spain spanish spaniard | lanka lankan | suriname surinamese
sweden swedish swede | switzerland swiss | syria syrian | taiwan taiwanese | tajikistan tajik | tanzania tanzanian
thailand thai | togo togolese | tonga tongan | trinidad trinidadian | tobago tobagonian | tunisia tunisian
turkey turkish turk türkiye | turkmenistan turkmen | tuvalu tuvaluan | uganda ugandan | ukraine ukrainian
emirates emirati uae | uk britain british briton | england english englishman englishmen | scotland scottish scot scots
wales welsh welshman welshmen | america american usa | uruguay uruguayan | uzbekistan uzbek | vanuatu vanuatuan
venezuela venezuelan | vietnam vietnamese | yemen yemeni yemenite | zambia zambian | zimbabwe zimbabwean
arabia arabian saudi | greenland greenlandic greenlander | africa african | asia asian | europe european
antarctica antarctic | arctic | soviet | persia persian | prussia prussian | tibet tibetan | kurdistan kurdish kurd
catalonia catalan | basque | bavaria bavarian | flanders flemish | crimea crimean | chechnya chechen | kashmir kashmiri
punjab punjabi | sindh sindhi | balochistan baloch balochi baluchistan baluch baluchi | bengal bengali | gujarat gujarati
rajasthan rajasthani | bihar bihari | kerala keralite | maharashtra marathi | goa goan | hawaii hawaiian | texas texan
quebec québec quebecois québécois | corsica corsican | sardinia sardinian | crete cretan | moscow muscovite
naples neapolitan | venice venetian | florence florentine | vienna viennese | rome roman | athens athenian
manchester mancunian | liverpool liverpudlian | glasgow glaswegian | delhi delhiite | lahore lahori | gaza gazan
havana habanero | cairo cairene | toronto torontonian | chicago chicagoan | warsaw varsovian | madrid madrileño
"""
LANDS = [frozenset(land.split()) for line in _LANDS.strip().splitlines() for land in line.split("|")]
