// The passwords that guessers try first, of those long enough to be accepted otherwise. Data only; lower case.

export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
  `password password1 password12 password123 password1234 passw0rd p@ssword p@ssw0rd passwort motdepasse contrasena
  12345678 123456789 1234567890 12345678910 123123123 1231231234 123321123 1234512345 12341234 11223344 1122334455
  11111111 111111111 1111111111 22222222 33333333 44444444 55555555 66666666 77777777 88888888 99999999 00000000
  0000000000 87654321 987654321 9876543210 0987654321 01234567 012345678 0123456789 147258369 159357159 789456123
  741852963 102030405060 10203040 12121212 13131313 69696969 123qweasd 123456qwerty
  qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 1qaz2wsx 1qaz2wsx3edc 1q2w3e4r 1q2w3e4r5t
  1q2w3e4r5t6y q1w2e3r4 q1w2e3r4t5 qazwsxedc zaq12wsx zaq1zaq1 asdfghjk asdfghjkl asdfasdf asdf1234 zxcvbnm1 zxcvbnm123
  qweasdzxc qwer1234 1234qwer abcd1234 abc12345 abcdefgh abcdefg1 a1b2c3d4 aa123456 a1234567 a12345678 a123456789
  aaaaaaaa iloveyou iloveyou1 iloveyou2 princess princess1 sunshine sunshine1 football football1 baseball baseball1
  basketball superman superman1 batman123 trustno1 welcome1 welcome123 letmein1 letmein123 dragon123 monkey123
  shadow123 master123 michael1 michelle jennifer jonathan charlie1 computer internet samsung1 whatever starwars
  liverpool liverpool1 chocolate butterfly november december september elephant mercedes corvette maverick midnight
  changeme changeme1 changeme123 default1 testtest test1234 testing123 tester123 administrator admin123 admin1234
  admin12345 administrator1 root1234 rootroot secret123 mypassword newpassword yourpassword passpass pass1234
  pass12345 google123 facebook linkedin pokemon1 naruto123 minecraft bitcoin1 bitcoin123 ethereum wintrades
  wintrades1 wintrades123 trading1 trading123 trader123 jesus123 blessed1 freedom1 killer123 hello123 hellohello
  lovelove loveyou1 summer2023 summer2024 summer2025 summer2026 winter2023 winter2024 winter2025 winter2026`.split(
    /\s+/,
  ),
)
