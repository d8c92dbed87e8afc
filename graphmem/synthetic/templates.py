"""Word lists that invented names are made of, and the real words of types that nobody invents."""

from __future__ import annotations

from typing import Final

_CLOSED: Final = {
    "language": "English,French,Spanish,German,Italian,Portuguese,Dutch,Swedish,Finnish,Polish,Czech,Hungarian,Greek,"
    "Turkish,Arabic,Hebrew,Persian,Hindi,Bengali,Tamil,Urdu,Mandarin,Cantonese,Japanese,Korean,Vietnamese,Thai,Malay,"
    "Swahili,Yoruba,Zulu,Amharic,Russian,Ukrainian,Romanian,Welsh,Irish,Basque,Catalan,Icelandic,Latin,Quechua,Maori",
    "occupation": "teacher,nurse,engineer,architect,painter,novelist,poet,sculptor,journalist,lawyer,judge,farmer,"
    "carpenter,electrician,plumber,chef,baker,librarian,historian,physicist,chemist,astronomer,biologist,geologist,"
    "mathematician,economist,actor,film director,screenwriter,composer,singer,cellist,photographer,dancer,footballer,"
    "cyclist,swimmer,pilot,sailor,soldier,diplomat,politician,translator,editor,surgeon,dentist,pharmacist,midwife,"
    "vet,accountant,software developer,data analyst,graphic designer,social worker,civil servant,firefighter,gardener",
    "species": "grey wolf,red fox,brown bear,barn owl,golden eagle,peregrine falcon,house sparrow,emperor penguin,"
    "green turtle,king cobra,tree frog,blue whale,harbour seal,sea otter,snow leopard,giant panda,African elephant,"
    "black rhinoceros,mountain gorilla,monarch butterfly,honey bee,Atlantic salmon,great white shark,Nile crocodile",
    "animal": "dog,cat,horse,donkey,goat,sheep,cow,pig,rabbit,hamster,parrot,canary,tortoise,goldfish,ferret,duck,"
    "goose,otter,badger,hedgehog,falcon,owl,camel,llama,elephant,lion,tiger,leopard,wolf,bear,seal,whale,dolphin",
    "plant": "oak,beech,silver birch,olive,fig,lavender,rosemary,thyme,basil,tulip,daffodil,orchid,sunflower,rose,"
    "wheat,barley,rye,maize,rice,cotton,flax,bamboo,ivy,heather,fern,cactus,jasmine,poppy,clover,nettle",
    "chemical": "water,ammonia,methane,ethanol,acetone,benzene,sulphuric acid,nitric acid,sodium chloride,glucose,"
    "caffeine,carbon dioxide,ozone,hydrogen peroxide,urea,helium,neon,chlorine,iodine,mercury,phosphorus,potassium",
    "sport": "football,rugby,cricket,tennis,badminton,squash,hockey,ice hockey,basketball,volleyball,handball,rowing,"
    "sailing,swimming,diving,cycling,fencing,judo,boxing,archery,golf,chess,climbing,skiing,skating,athletics,surfing",
    "instrument": "piano,violin,viola,cello,double bass,guitar,harp,flute,oboe,clarinet,bassoon,saxophone,trumpet,"
    "trombone,French horn,tuba,drums,accordion,organ,harpsichord,mandolin,banjo,sitar,ukulele,bagpipes,recorder",
    "genre": "comedy,drama,thriller,horror,western,romance,fantasy,science fiction,documentary,musical,film noir,"
    "jazz,blues,folk,rock,hip hop,opera,techno,country music,reggae,soul,historical fiction,satire,crime fiction",
    "religion": "Christianity,Islam,Judaism,Hinduism,Buddhism,Sikhism,Jainism,Taoism,Shinto,Catholicism,"
    "Protestantism,Eastern Orthodoxy,Quakerism,Zoroastrianism,the Bahá'í Faith,Lutheranism,Methodism,Anglicanism",
    "disease": "asthma,diabetes,malaria,measles,influenza,tuberculosis,cholera,migraine,arthritis,epilepsy,anaemia,"
    "bronchitis,pneumonia,typhoid fever,hepatitis,gout,scurvy,smallpox,eczema,hay fever,glaucoma,osteoporosis",
    "drug": "aspirin,paracetamol,ibuprofen,penicillin,amoxicillin,insulin,morphine,codeine,metformin,warfarin,"
    "quinine,digoxin,lithium,prednisone,salbutamol,cortisone,streptomycin,doxycycline,omeprazole,naproxen",
    "field": "physics,chemistry,biology,mathematics,medicine,law,history,philosophy,economics,linguistics,geology,"
    "astronomy,botany,zoology,psychology,sociology,anthropology,archaeology,computer science,statistics,architecture,"
    "electrical engineering,civil engineering,genetics,theology,musicology,political science,fine arts,geography",
    "material": "wood,oak,stone,granite,marble,limestone,brick,concrete,steel,iron,copper,bronze,brass,aluminium,"
    "glass,paper,leather,wool,silk,linen,cotton,clay,porcelain,rubber,plastic,gold,silver,bamboo,slate,titanium",
    "colour": "red,blue,green,yellow,orange,purple,violet,pink,brown,black,white,grey,turquoise,crimson,navy blue,"
    "olive green,beige,gold,silver,maroon,lilac,teal",
    "dish": "lasagne,paella,risotto,goulash,moussaka,ratatouille,shakshuka,biryani,dal,ramen,sushi,pad thai,pho,"
    "bibimbap,dumplings,tacos,chilli,pierogi,borscht,fish and chips,shepherd's pie,couscous,falafel,hummus,jollof rice,"
    "fondue,onion soup,apple pie,pancakes,mushroom omelette,lentil stew,Greek salad,tiramisu,rye bread",
    "planet": "Mercury,Venus,Mars,Jupiter,Saturn,Uranus,Neptune,Pluto,Ceres,Eris,Makemake,Haumea,Vesta,Sedna",
    "country": "France,Spain,Portugal,Germany,Italy,Austria,Switzerland,Poland,Sweden,Norway,Denmark,Finland,Greece,"
    "Turkey,Egypt,Morocco,Kenya,Ghana,Nigeria,Ethiopia,India,Nepal,China,Japan,South Korea,Vietnam,Thailand,Indonesia,"
    "Australia,New Zealand,Canada,Mexico,Brazil,Argentina,Chile,Peru,Colombia,Cuba,Ireland,Iceland,the Netherlands",
}
CLOSED: Final[dict[str, tuple[str, ...]]] = {kind: tuple(words.split(",")) for kind, words in _CLOSED.items()}
"""Types of few members, by name: the real words."""

_CULTURES: Final = {  # onsets | vowels | codas | family endings | particles
    "british": "b br c cl d f g gr h j k l m n p r s st t th w|a e i o ea ou|n l r rd th s ck nd m|"
    "ton ley ford well son man worth by|",
    "romance": "b c d f g gi l m n p r s t v z|a e i o u ia|n l r s|i etti oso ani ez eira ini ado|de del di da",
    "french": "b c ch d f g j l m n p r s t v|a e é i o ou è|n l r s|eau ier ard otte elle in ois|de du le",
    "german": "b d f g h k l m n r s sch st w z|a e i o u ü ö|n l r ch tz rg|mann berg bauer stein er feld|von van",
    "nordic": "b bj d f g h j k l m n r s sk t v|a e i o å ø y|n l r k rn|sen sson strøm dal lund vik|",
    "slavic": "b d g k l m n p r s t v z zd č š|a e i o u|n l r v sk|ov ova ski ić enko ák ek|",
    "arabic": "b d f h j k kh l m n r s sh t y z|a i u aa|b d l m n r s|i awi ani ari oun|al- ibn bin",
    "indian": "bh ch d g j k m n p pr r s sh t v|a aa i u ee|n l r t sh|an ar wal murthy esh appa ani|",
    "chinese": "ch d f g h j l m n q sh t w x y z zh|a ai ao e i ou u|n ng|ng n i u|",
    "japanese": "h k m n r s sh t y|a i u e o||moto mura kawa da zaki yama no|",
    "african": "b d f k l m n nd ng s t w z mb|a e i o u||kwe wale beni ndo eka oro iyo|",
    "celtic": "b br c d f g gl l m n r s t|a e i o ao|n l r gh th|an nell gan ney chlan|O' Mc Mac",
}
CULTURES: Final = tuple(tuple(tuple(part.split()) for part in sounds.split("|")) for sounds in _CULTURES.values())
"""Sounds of several languages: onsets, vowels, codas, endings of family names, particles before them."""

ADJECTIVES: Final = tuple(
    "Last First Silent Hidden Broken Golden Silver Crimson Pale Distant Quiet Burning Frozen Endless Lost Hollow "
    "Secret Wild Gentle Bitter Second Bright Dark Northern Southern Little Great Old New Long White Black Red".split()
)
NOUNS: Final = tuple(
    "Harbour Garden River Lantern Winter Summer Mirror Window Letter Orchard Shadow Bridge Island Mountain Forest "
    "Stranger Daughter Brother Widow King Queen Clock Tower Door Road Storm Rain Snow Ember Ash Salt Iron Glass Bone "
    "Feather Raven Wolf Fox Sparrow Horse Moon Sun Star Night Morning Evening Silence Promise Secret Memory Dream "
    "Journey Return Voyage House Room Kitchen Market Station Train Ship Anchor Tide Shore Field Hill Stone Well".split()
)
VERBS: Final = tuple("Leaving Finding Counting Burning Crossing Waiting_for Dreaming_of Remembering Forgetting".split())
TRADES: Final = tuple(
    "Foods,Motors,Systems,Energy,Textiles,Pharmaceuticals,Shipping,Records,Pictures,Robotics,Logistics,Insurance,"
    "Brewing Company,Steel,Airways,Media,Publishing,Software,Semiconductors,Mining,Paper Mills,Bank,Labs".split(",")
)
MONTHS: Final = tuple("January February March April May June July August September October November December".split())
