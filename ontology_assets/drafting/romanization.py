"""Hangul in Latin letters, syllable by syllable (Revised Romanization without the changes between syllables)."""

FIRST, LAST = 0xAC00, 0xD7A3
INITIALS = "g,kk,n,d,tt,r,m,b,pp,s,ss,,j,jj,ch,k,t,p,h"
VOWELS = "a,ae,ya,yae,eo,e,yeo,ye,o,wa,wae,oe,yo,u,wo,we,wi,yu,eu,ui,i"
FINALS = ",k,k,k,n,n,n,t,l,k,m,l,l,l,p,l,m,p,p,t,t,ng,t,t,k,t,p,t"


def romanized(text: str) -> str:
    """The text with every Hangul syllable written out; other characters stay."""
    return "".join(_syllable(character) if has_hangul(character) else character for character in text)


def has_hangul(text: str) -> bool:
    return any(FIRST <= ord(character) <= LAST for character in text)


def _syllable(character: str) -> str:
    index = ord(character) - FIRST
    places = ((INITIALS, index // 588), (VOWELS, index % 588 // 28), (FINALS, index % 28))
    return "".join(letters.split(",")[place] for letters, place in places)
