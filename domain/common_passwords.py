"""The most common passwords in published leaks, in lower case; only those that are long enough to be allowed here."""

_TEXT = """
    00000000 01011980 01012011 0123456789 0987654321 10203040 1029384756 11111111 111111111 1111111111 11223344
    1122334455 12121212 12312312 123123123 123123123a 1232323q 12341234 12344321 1234512345 1234554321 123456123
    12345678 123456789 1234567890 12345678900 12345678901 1234567890q 1234567891 12345678910 1234567899
    123456789a 123456789q 123456789z 12345678a 12345679 1234567a 123456a@ 123456aa@ 12345qwert 1234abcd 1234qwer
    123654789 123qwe123 123qweasd 12qwaszx 147258369 147852369 1a2b3c4d 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y
    1qaz2wsx 1qaz2wsx3edc 1qazxsw2 22222222 222222222 33333333 44444444 4815162342 55555555 66666666 69696969
    741852963 77777777 789456123 87654321 88888888 98765432 987654321 99999999 999999999 a1234567 a123456789
    a1b2c3d4 aa123456 aa123456@ aa@123456 aaaaaaaa abc12345 abc123456 abc@1234 abcd1234 abcd@1234 abcdefg1
    abcdefgh abcdefghi admin123 admin1234 admin12345 admin123456 admin@123 adminadmin administrator airborne
    alexande alexander alexandr american anderson asdasdasd asdf1234 asdfasdf asdfghjkl asdfghjkl1 azerty123
    azertyuiop babygirl babygirl1 baseball baseball1 benjamin bigdaddy bismillah blink182 brittany
    brooklyn budlight bulldogs cardinal carolina caroline champion changeme changeme1 changeme123
    charlie1 cherokee chevelle christin cocacola colorado computer corvette courtney creative danielle darkness
    darkside december default1 demo@123 dolphins dragon123 drowssap einstein electric elephant elizabet
    explorer fktrcfylh football football1 football123 franklin freepass freeuser garfield godzilla guest123
    guinness hallo123 hardcore hello123 iloveyou iloveyou1 iloveyou2 india@123 infinity internet jennifer
    jonathan jordan23 juventus kawasaki kimberly kristina lacrosse lasvegas letmein1 letmein123 letmeinnow
    lifehack linkedin liverpool logitech lovelove loverboy marlboro marshall maryjane master12 master123
    maverick mercedes metallic metallica michael1 michael123 michelle michigan midnight minecraft mitchell
    mm123456 monkey123 motorola mountain myspace1 ncc1701d nicholas nintendo november p@$$w0rd p@55w0rd p@ssw0rd
    pakistan panthers paradise pass@123 pass@1234 passport passw0rd passw0rd1 password password! password1
    password1! password12 password123 password1234 password@123 passwort passwort1 patricia patriots pearljam
    peekaboo platinum poohbear predator princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsx123 qazwsxedc qwe123qwe
    qweasdzxc qweqweqwe qwer1234 qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 qwerty1234567 qwertyu1
    qwertyui qwertyuiop qwertz123 qwertzui redskins redwings rolltide root1234 rootroot rush2112 samantha
    scarface schatz123 scorpion scotland secret12 secret123 security semperfi senha123 shadow123 simpsons
    slipknot snickers snowball softball spiderma spiderman spitfire stargate startrek starwars steelers sunshine
    sunshine1 superman superman1 svetlana swordfis target123 temp1234 test1234 test@123 testing123 toor1234
    trustno1 trustno1! undefined user1234 valentin veronica victoria virginia vladimir vodafone warcraft
    welcome1 welcome123 welcome@123 westside whatever wildcats williams wolfpack wolverin xxxxxxxx zaq12wsx
    zxcvbnm1 zxcvbnm123
"""

COMMON_PASSWORDS = frozenset(_TEXT.split())
