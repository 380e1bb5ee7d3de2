// Orders in the shorthand of the scenario tables: `buy 5 @ 100`, `sell 3 @ 99 ioc`, `buy 10 market`, `buy quote 500 market`, …

import {
  type Command,
  OrderFlag,
  OrderLink,
  OrderType,
  SelfTradePrevention,
  Side,
  TimeInForce,
} from '@wintrades/domain'
import { command } from './shard.ts'

const TYPES: Readonly<Record<string, number>> = {
  market: OrderType.market,
  stop: OrderType.stop,
  take: OrderType.take_profit,
}
const TIMES: Readonly<Record<string, number>> = {
  gtc: TimeInForce.gtc,
  ioc: TimeInForce.ioc,
  fok: TimeInForce.fok,
  day: TimeInForce.day,
}
const FLAGS: Readonly<Record<string, number>> = {
  post: OrderFlag.post_only,
  disconnect: OrderFlag.cancel_on_disconnect,
  reduce: OrderFlag.reduce_only,
}
const SELF_TRADE: Readonly<Record<string, number>> = {
  newest: SelfTradePrevention.cancel_newest,
  oldest: SelfTradePrevention.cancel_oldest,
  both: SelfTradePrevention.cancel_both,
  decrement: SelfTradePrevention.decrement,
}
/** Words that a number follows. */
const NUMBERS: Readonly<Record<string, string>> = {
  '@': 'price',
  quote: 'quoteAmount',
  show: 'displayQuantity',
  min: 'minimumQuantity',
  trigger: 'stopPrice',
  trail: 'trailingOffset',
  until: 'expireTime',
  session: 'session',
  key: 'apiKey',
  instrument: 'instrument',
}

/** Words that the client order id of another leg follows. */
const LINKS: Readonly<Record<string, number>> = {
  pair: OrderLink.pair,
  pending_pair: OrderLink.pending_pair,
  entry: OrderLink.entry,
}

/** A new order of an account from its shorthand. */
export function order(account: number, clientOrderId: string, text: string): Command {
  const words = text.split(' ')
  const fields: Record<string, unknown> = { account, clientOrderId }
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string
    const number = NUMBERS[word]
    const link = LINKS[word]
    if (link !== undefined) {
      fields['link'] = link
      fields['linkedClientOrderId'] = words[++i]
    } else if (word === 'pending') fields['link'] = OrderLink.pending
    else if (number !== undefined) fields[number] = Number(words[++i])
    else if (word === 'buy' || word === 'sell') fields['side'] = word === 'buy' ? Side.buy : Side.sell
    else if (/^[0-9]+$/.test(word)) fields['quantity'] = Number(word)
    else if (word in TYPES) fields['orderType'] = TYPES[word]
    else if (word in TIMES) fields['timeInForce'] = TIMES[word]
    else if (word in FLAGS) fields['flags'] = ((fields['flags'] as number | undefined) ?? 0) | (FLAGS[word] as number)
    else if (word in SELF_TRADE) fields['selfTradePrevention'] = SELF_TRADE[word]
    else throw new Error(`word "${word}" of "${text}"`)
  }
  if (fields['expireTime'] !== undefined) fields['timeInForce'] = TimeInForce.gtd
  if (fields['trailingOffset'] !== undefined) fields['orderType'] = OrderType.trailing_stop
  else if (fields['stopPrice'] !== undefined && fields['price'] !== undefined) {
    fields['orderType'] =
      fields['orderType'] === OrderType.take_profit ? OrderType.take_profit_limit : OrderType.stop_limit
  }
  return command('new_order', fields)
}
