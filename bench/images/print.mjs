import { digits, printTable } from '../lib/report.mjs'
import { targets } from './targets.mjs'

const makers = ['ours', 'bare sharp', 'ipx', 'vipsthumbnail']

export function printCold (cold, { rounds }) {
  const rowOf = ({ name }) => [name].concat(
    makers.map(maker => digits(cold.cpu(name, maker))),
    makers.slice(1).map(maker => digits(cold.cpuRatio(name, maker)))
  )
  const head = ['', ...makers, ...makers.slice(1).map(maker => `ours/${maker}`)]
  printTable(`CPU ms per picture, cold, one at a time, median of ${rounds}`, head, targets.map(rowOf))
  printTable('Pictures per second, 8 requests in flight', ['', 'ours', 'ipx', 'ours/ipx', 'bytes ours/ipx', 'SSIM ours', 'SSIM ipx'], [...cold.speed].map(([name, { ours, ipx, ratio, bytes, likeness }]) => [
    name, digits(ours), digits(ipx), digits(ratio), bytes.toFixed(3), likeness.ours.toFixed(4), likeness.ipx.toFixed(4)
  ]))
}

export function printWarm (warm) {
  printTable(`CPU µs per request, ${warm.bytes} bytes`, ['variant', 'file', 'variant 304', 'file 304', 'ipx again'], [
    ['variant', 'file', 'variant 304', 'file 304', 'ipx'].map(what => digits(warm.value(what)))
  ])
}

export function printRest ({ crowd, burst, growth }) {
  printTable('One cold 800 WebP of 12 MP, CPU ms', ['1 client', '100 clients'], [[digits(crowd.oneMs), digits(crowd.crowdMs)]])
  printTable('64 different cold variants of 12 MP at once', ['seconds', 'fair', 'RSS at most in MB', 'a file meanwhile, p99 ms', 'at most'], [
    [digits(burst.seconds), digits(burst.fairSeconds), digits(burst.peakMb), digits(burst.staticP99Ms), digits(burst.staticMostMs)]
  ])
  printTable('The cache on disk', ['variants', 'CPU µs per hit', 'ms to ready'], growth.map(({ variants, hitUs, readyMs }) => [variants, digits(hitUs), digits(readyMs)]))
}
