# SPDX-License-Identifier: MIT
"""The play of KBUS's own introduction, on limpet.kbus: actors, an audience, and a hijacker.

Rosencrantz speaks, Guildenstern listens, answers questions and counts heads; the audience hears
it all. Falstaff takes Guildenstern's place, and a stateful request finds him out. Each actor would
be a program of its own; here they take turns on one stage. Runs as it is on a board and on a host:
python examples/rosencrantz.py, or mpremote run.
"""

from limpet.kbus import Ksock, Message, Request, reply_to, stateful_request


def heard(say, who, ksock):
    """Tell what an actor hears."""
    for message in ksock:
        say(f"   {who} hears {message}")


def speaking(say, rosencrantz, guildenstern, audience):
    """Announcements: whoever listens hears them, and that may be nobody."""
    ahem = Message("$.Actor.Speak", "Ahem")
    say(f"Rosencrantz: Ahem. {rosencrantz.send_msg(ahem)}")
    audience.bind("$.Actor.Speak")
    say(f"Rosencrantz: Ahem. {rosencrantz.send_msg(ahem)}")
    heard(say, "the audience", audience)
    guildenstern.bind("$.Actor.*")
    rosencrantz.bind("$.Actor.*")
    audience.bind("$.Actor.*")
    say(f"Guildenstern: Pssst! {guildenstern.send_msg(Message('$.Actor.Speak', 'Pssst!'))}")
    heard(say, "Guildenstern", guildenstern)
    heard(say, "Rosencrantz", rosencrantz)
    heard(say, "the audience", audience)  # twice: it has bound two names that match
    audience.unbind("$.Actor.Speak")


def asking(say, rosencrantz, guildenstern, audience):
    """Requests: one replier, who has to answer; listeners hear question and answer."""
    rosencrantz.unbind("$.Actor.*")
    guildenstern.unbind("$.Actor.*")
    guildenstern.bind("$.Actor.Ask.Guildenstern", True)
    question = Request("$.Actor.Ask.Guildenstern", "Were you speaking to me?")
    say(f"Rosencrantz: Were you speaking to me? {rosencrantz.send_msg(question)}")
    question = guildenstern.read_next_msg()
    say(f"   Guildenstern hears {question}")
    say(f"   He is to answer: {question.wants_us_to_reply()}")
    say(f"Guildenstern: Yes, I was. {guildenstern.send_msg(reply_to(question, 'Yes, I was'))}")
    heard(say, "Rosencrantz", rosencrantz)
    heard(say, "the audience", audience)


def tossing(say, rosencrantz, guildenstern):
    """Stateful requests: meant for the very one who has answered before. Returns the answer."""
    rosencrantz.send_msg(Request("$.Actor.Ask.Guildenstern", "Will you count heads for me?"))
    guildenstern.send_msg(reply_to(guildenstern.read_next_msg(), "Yes, yes I shall"))
    promise = rosencrantz.read_next_msg()
    say(f"Rosencrantz has a promise from {promise.from_}")
    guildenstern.bind("$.Actor.CoinToss", True)
    heads = 0
    for side in ("Head", "Head", "Tail", "Head"):
        rosencrantz.send_msg(stateful_request(promise, "$.Actor.CoinToss", side))
        toss = guildenstern.wait_for_msg()
        if toss.data == b"Head":
            heads += 1
            say("Guildenstern: A head - amazing")
        else:
            say("Guildenstern: Bah, tails")
        guildenstern.send_msg(reply_to(toss, f"Head count is {heads}"))
        say(f"Rosencrantz: So, {rosencrantz.wait_for_msg().data.decode()}")
    return promise


def hijacking(say, rosencrantz, guildenstern, falstaff, promise):
    """Falstaff knows nothing of the heads, and gets nothing."""
    guildenstern.close()
    falstaff.bind("$.Actor.CoinToss", True)
    say("Guildenstern: Ouch. Falstaff is the one for coins now")
    try:
        rosencrantz.send_msg(stateful_request(promise, "$.Actor.CoinToss", "Head"))
    except OSError as e:
        say(f"Rosencrantz: Skulduggery! errno {e.errno}")  # EPIPE
    heard(say, "Falstaff", falstaff)
    rosencrantz.send_msg(Request("$.Actor.CoinToss", "Head, whoever you are"))
    heard(say, "Falstaff", falstaff)
    falstaff.close()  # with the coin in his pocket
    heard(say, "Rosencrantz", rosencrantz)


def main(say=print):
    """Play; `say` gets the lines."""
    with Ksock(0) as rosencrantz, Ksock(0) as audience, Ksock(0) as guildenstern:
        say(f"{rosencrantz}")
        speaking(say, rosencrantz, guildenstern, audience)
        asking(say, rosencrantz, guildenstern, audience)
        promise = tossing(say, rosencrantz, guildenstern)
        with Ksock(0) as falstaff:
            hijacking(say, rosencrantz, guildenstern, falstaff, promise)
        say(f"The audience has heard {len([message for message in audience])} messages more")


if __name__ == "__main__":
    main()
