/** Sides and corners, and the middle. */
export const compass = ['center', 'top', 'top-right', 'right', 'bottom-right', 'bottom', 'bottom-left', 'left', 'top-left'] as const

/** Other names of them. */
export const compassSynonyms = {
  centre: 'center', middle: 'center', north: 'top', south: 'bottom', west: 'left', east: 'right',
  northeast: 'top-right', southeast: 'bottom-right', southwest: 'bottom-left', northwest: 'top-left',
  'top,right': 'top-right', 'right,top': 'top-right', 'right top': 'top-right', 'bottom,right': 'bottom-right', 'right,bottom': 'bottom-right', 'right bottom': 'bottom-right',
  'bottom,left': 'bottom-left', 'left,bottom': 'bottom-left', 'left bottom': 'bottom-left', 'top,left': 'top-left', 'left,top': 'top-left', 'left top': 'top-left',
  'middle,center': 'center', 'center,middle': 'center'
} as const
